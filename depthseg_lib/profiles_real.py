"""The profiles on real sets."""

from depthseg_lib.settings import DataSettings
from depthseg_lib.study.profile import PRETRAINED, Part, Profile, other_parts, with_imagenet

_PAPERS = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000, precision="bf16-mixed")
"""The paper's fine-tuning (Appendix A); its precision serves pre-training too."""
_EPOCH = 3318
"""Iterations in which Monodepth2 sees the 39,810 triplets of the Eigen-Zhou split once, 12 at a time."""
_SHORT = dict(
    classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
    depth=dict(iterations=1200, batch=8, learning_rate=5e-4, evaluate_every=200),
    finetune=dict(iterations=400, batch=8, learning_rate=1e-3, evaluate_every=80, fresh_decoder="kaiming"),
)
"""Settings of the profiles that train the quarter-width network on a CPU."""

REAL = (
    Profile(
        name="camvid",
        about="a check on small real sets: CamVid's 11 classes, depth from highway, KITTI and CamVid video",
        data=DataSettings(data_set="camvid", height=96, width=128),
        encoders=("resnet18-slim",),
        initialisations=("none", "classification", "depth"),
        settings=("full", "frozen"),
        trials=2,
        sizes=(16,),
        images=16,
        flow=_SHORT["depth"],
        **_SHORT,
    ),
    Profile(
        name="kitti",
        about="the paper's own study on KITTI: depth from KITTI raw, KITTI semantics; ImageNet with IMAGENET=",
        data=DataSettings(data_set="kitti", height=192, width=640, annotated=200),
        encoders=("resnet18", "resnet50"),
        # photographs of the embedded world, 64x64, would stand for nothing that the paper has: it has ImageNet
        initialisations=("none", "depth"),
        settings=("full", "frozen"),
        trials=4,
        sizes=(8, 16, 32, 64, 128),
        images=16,
        depth=_PAPERS
        | dict(iterations=30 * _EPOCH, batch=12, learning_rate=1e-4, evaluate_every=_EPOCH, evaluated=697),
        depth_started=dict(iterations=20 * _EPOCH),
        flow=dict(  # 50 epochs of 39,810 in batches of 8
            iterations=50 * 4976, batch=8, learning_rate=5e-4, evaluate_every=4976, precision="bf16-mixed"
        ),
        finetune=_PAPERS,
        large=dict(height=320, width=1024),
        parts=with_imagenet(
            other_parts(16, 200, {}, dict(iterations=50000), tasks=("flow",), large=PRETRAINED), alone=True
        ),
        step_seconds=0.03,
    ),
    Profile(  # section 4.3; an epoch is all 407,024 frames of the raw dump, 50,878 steps
        name="nyu",
        about="the paper's NYU-V2: 13 classes indoors, depth from a depth camera, everything trained",
        data=DataSettings(data_set="nyu", height=384, width=448),
        encoders=("resnet18", "resnet50"),
        initialisations=("none", "depth-supervised"),
        not_trained=("depth-imagenet",),
        settings=("full",),
        trials=4,
        sizes=(795,),
        images=795,
        supervised=_PAPERS | dict(iterations=508780, batch=8, learning_rate=1e-4, evaluate_every=10000),
        finetune=_PAPERS | dict(batch=32),
        finetune_of={"resnet50": dict(batch=16)},
        step_seconds=0.08,
    ),
    Profile(  # the paper's KITTI protocol; 125,000 steps are Monodepth2's 20 epochs of the training snippets
        name="cityscapes",
        about="Cityscapes as the paper does KITTI, and all its training images: depth from their video",
        data=DataSettings(data_set="cityscapes", height=512, width=512),
        encoders=("resnet18", "resnet50"),
        initialisations=("none", "depth"),
        settings=("full", "frozen"),
        trials=4,
        sizes=(8, 16, 32, 64, 128, 2975),
        images=16,
        depth=_PAPERS | dict(iterations=125000, batch=12, learning_rate=1e-4, evaluate_every=5000),
        finetune=_PAPERS,
        parts=with_imagenet(
            (Part(("encoder-only",), ("depth", "depth-classification"), 16), Part(("deeplab",), PRETRAINED, 16)),
            alone=True,
        ),
        step_seconds=0.06,
    ),
    Profile(
        name="folder",
        about="a user's own images, labels and video; image size and encoder stand in their dataset.json",
        data=DataSettings(data_set="folder", height=96, width=160),
        encoders=("resnet18-slim",),
        initialisations=("none", "classification", "depth"),
        settings=("full", "frozen"),
        trials=3,
        sizes=(8, 16, 32, 64, 128),
        images=16,
        **_SHORT,
    ),
)
"""In the order in which they are named."""
