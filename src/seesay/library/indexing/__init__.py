"""From folders to rows and vectors of a library."""
