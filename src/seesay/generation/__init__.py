"""Conditions and steers image generators: text conditioning, variations, guided drawing."""
