"""The folder of a run: its log and its checkpoints; the state of a run and its observer."""
