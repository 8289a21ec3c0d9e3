"""What is measured of trained networks and of images, besides the metrics of a run."""
