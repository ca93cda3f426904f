"""Two hundred English prompts, by which two text encoders are compared."""

SUBJECTS = (
    "a cat in sunglasses",
    "an old fisherman mending a net",
    "a red bicycle against a wall",
    "two children with a kite",
    "a bowl of ramen",
    "a castle on a cliff",
    "a robot reading a newspaper",
    "a woman in a blue coat",
    "a steam train in the snow",
    "a vase of wilted tulips",
    "an astronaut on a horse",
    "a market street after rain",
    "a glass of orange juice",
    "a wolf under the moon",
    "an empty railway station",
    "a wooden chair by a window",
    "a dragon asleep on its gold",
    "a football match seen from above",
    "a lighthouse in a storm",
    "a portrait of a violinist",
)
STYLES = (
    "{}",
    "a photo of {}",
    "an oil painting of {}",
    "a pencil sketch of {}",
    "{}, watercolour, soft colours",
    "{}, 35mm film, shallow depth of field",
    "{}, pixel art",
    "{}, low quality, blurry",
    "{} at sunset, golden light, highly detailed",
    "a child's drawing of {}",
)
PROMPTS = tuple(style.format(subject) for subject in SUBJECTS for style in STYLES)
