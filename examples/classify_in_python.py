"""Classification without training, and the raw vectors behind it."""

import sys
from pathlib import Path

import seesay

photos = sorted((Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "photos").rglob("*.jpg"))[:8]
labels = ["an animal", "food", "a vehicle", "a building", "a musical instrument"]

model = seesay.load()
print(model)

for photo, probabilities in zip(photos, model.classify(photos, labels), strict=True):
    print(f"{labels[probabilities.argmax()]:22} {probabilities.max():5.1%}  {photo.name}")

# The same by hand: unit vectors, cosines, and the model's own temperature.
images, words = model.encode_image(photos), model.encode_text(labels)
print(images.shape, words.shape, "cosines:", (images @ words.T).round(2)[0], "scale:", round(model.scale, 2))

# Any two kinds can be compared.
print("pictures with each other:", model.similarity(photos[0], photos[1]).round(3))
print("words with each other:", model.similarity("a dog", ["a puppy", "a car"]).round(3))
