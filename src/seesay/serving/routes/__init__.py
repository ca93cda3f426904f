"""The routes, a router per resource."""
