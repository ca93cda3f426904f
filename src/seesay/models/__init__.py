"""Models: configuration, families of towers, and arithmetic with their vectors."""
