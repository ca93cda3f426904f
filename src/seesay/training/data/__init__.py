"""From files on disk to the batches that the towers are fed."""
