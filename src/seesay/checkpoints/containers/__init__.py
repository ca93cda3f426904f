"""Files that hold weights, opened safely, whatever they are named."""
