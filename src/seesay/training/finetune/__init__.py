"""Fine-tuning on small data: a table becomes a recipe, and the result is compared with the model that it began from."""
