"""Pages and figures that show what other packages compute."""
