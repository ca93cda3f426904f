"""What a model is: its configuration, its families of towers, and arithmetic with their vectors."""
