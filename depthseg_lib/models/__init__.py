"""Networks of the study: encoders, the Monodepth2 decoder, pose, segmentation and classification."""
