"""The database of a library: schema, reads, writes, records, lock."""
