"""The start of a run: its model, with initial weights, and which of them are trained."""
