"""`seesay serve`: embeddings, classification and search over HTTP, with a page. Needs the extra `serve`."""
