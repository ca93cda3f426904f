"""This machine: files, paths, the network, cores, tables; nothing here knows about models."""
