"""Data sets of the study: the embedded street world, the real sets, label sets, the cache and batches."""
