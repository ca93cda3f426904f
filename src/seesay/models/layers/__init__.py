"""Parts that towers of several families share."""
