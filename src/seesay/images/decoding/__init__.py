"""From the bytes of a file to an upright picture in sRGB, within limits."""
