"""Purposes of a recipe's seed, which keep its random draws apart: part of `np.random.default_rng((seed, epoch, PURPOSE))`.

0 would not keep anything apart: numpy's seed sequences ignore zeros at their end.
"""

ORDER = 1  # the order of samples in an epoch
CAPTION = 2  # the caption drawn of each image
SOURCE = 3  # the source drawn at each position of a mixture
CHILD = 4  # the seed of each source of a mixture
TARGETS = 5  # the order of texts with target vectors
PROMPTS = 6  # the prompt of each class in a step
DROPOUT = 7  # what several processes drop in a step
