"""Search: from a query to vectors, ranks and hits."""
