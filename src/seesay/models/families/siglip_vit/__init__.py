"""SigLIP's Vision Transformer, pooled by attention."""
