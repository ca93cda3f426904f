"""OWL-ViT and OWLv2: a Vision Transformer each of whose patches may be a thing, with its box."""
