"""Checkpoints of the CLIP family in anybody's format: opened safely, and accounted for key by key."""
