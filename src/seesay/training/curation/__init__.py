"""Chooses pairs for training out of many: lists of queries, balance over them, and what is wrong with a collection."""
