"""Image generators: real pipelines of diffusers with random weights, and what SeeSay gives them."""
