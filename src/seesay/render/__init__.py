"""Pages and figures that show what other rooms compute."""
