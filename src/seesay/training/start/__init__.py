"""What a run begins from: the towers, and their first weights."""
