"""From a file's bytes to an auto-rotated picture in sRGB, within limits."""
