"""depthseg_lib: is monocular depth a better pre-training task than classification for semantic segmentation?"""
