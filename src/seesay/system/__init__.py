"""This machine: files, paths, the network, cores, tables. It knows nothing of models."""
