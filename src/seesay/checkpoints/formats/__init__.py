"""How each format of the CLIP family is told apart, read and written."""
