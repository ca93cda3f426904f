"""CLIPSeg: CLIP's Vision Transformer with a small decoder that draws what a text means."""
