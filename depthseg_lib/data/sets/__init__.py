"""Real sets, one file each, and how they are listed."""
