"""What a model is: its configuration, its families of towers, and what is computed with their vectors."""
