"""How good a model is: on tables of pictures with captions or labels. Nothing here prints; `seesay eval` does."""
