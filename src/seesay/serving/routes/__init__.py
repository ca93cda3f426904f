"""The routes: a router per resource, each of them only parsing, calling and answering."""
