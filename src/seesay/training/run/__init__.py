"""The folder of a run: its log, its checkpoints, who watches it."""
