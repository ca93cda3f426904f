"""Finds, opens, converts and writes checkpoints in any format of the CLIP family, every tensor accounted for."""
