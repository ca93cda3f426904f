"""Any image tower of the library timm."""
