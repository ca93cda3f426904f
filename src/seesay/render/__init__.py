"""Pages and figures: what other rooms have computed, drawn."""
