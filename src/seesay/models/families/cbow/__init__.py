"""Mean of word embeddings."""
