"""Networks of the study: encoders, the Monodepth2 decoder, pose, segmentation and classification."""

ENCODERS = ("resnet18", "resnet50", "resnet18-slim")
"""Names of the encoders, here so that settings can be checked without loading PyTorch."""
