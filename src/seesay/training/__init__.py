"""Training of CLIP models: recipes, data, losses, and a loop that survives kills."""
