"""Against the originals: scripts that run them and store small results, and tests of ours against what is stored."""
