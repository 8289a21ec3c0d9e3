"""What the Makefile and the graph call."""
