"""Images: from any source to upright RGB (`read`), and from there to a tower's pixels (`preprocess`)."""
