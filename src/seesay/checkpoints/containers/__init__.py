"""Weight files of every kind, opened safely and recognised by content, not by name."""
