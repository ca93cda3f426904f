"""OpenAI's ResNet with attention pooling."""
