"""What training costs, each thing beside a plainer way of doing the same, with the floor below which it cannot come.

    python benchmarks/training.py [--only WORD] [--monodepth2 PATH] [--rounds 3]

Every side of a comparison runs in a process of its own, in turn with the other, on as many threads as OMP_NUM_THREADS
says (one, unless told otherwise), or on the GPU; the best of the rounds counts. PATH is a clone of Monodepth2
(https://github.com/nianticlabs/monodepth2): its own trainer, on random images. The floor is the multiplications and
additions of our step over the rate at which this machine multiplies large matrices. How the costs grow is
`benchmarks/growth.py`'s.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import numpy as np
import store
import torch
from plain import PlainDecoder, PlainDepthTraining
from torch.utils.flop_counter import FlopCounterMode

from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.batches import triplet_batch
from depthseg_lib.data.labels import KITTI
from depthseg_lib.losses import evaluation, metrics
from depthseg_lib.models.decoder import decoder_widths
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.training import finetune
from depthseg_lib.training.depth import DepthTask

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SECONDS = 8.0
"""That a side is timed for, in each round."""


@dataclass(frozen=True)
class Case:
    """A comparison: two ways of making a step, and what it is aimed at."""

    what: str
    ours: Callable[[argparse.Namespace], tuple[Callable[[], None], int]]
    """The step, and how many samples it is of."""
    plain: Callable[[argparse.Namespace], tuple[Callable[[], None], int]]
    goal: float
    """Of the ratio."""


def random_video(height: int, width: int) -> Video:
    """Noise: speed does not depend on what the images show."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (32, 3, height, width), np.uint8)
    camera = np.array([[0.58 * width, 0, width / 2], [0, 1.92 * height, height / 2], [0, 0, 1]], np.float32)
    return Video(images, np.arange(32, dtype=np.int32) // 16, np.tile(camera, (32, 1, 1)))


def depth_step(encoder: str, height: int, width: int, batch: int, fused: bool, training=DepthTask.training):
    """A step of depth pre-training, its batch included."""
    kind = type("Task", (DepthTask,), {"training": training})
    task = kind(PretrainConfig(encoder=encoder, height=height, width=width), random_video(height, width), DEVICE)
    return optimised(task, batch, fused)


def optimised(task, batch: int, fused: bool) -> tuple[Callable[[], None], int]:
    """A step of a task, as `engine.train` makes it."""
    trained = [p for p in task.module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, 1e-4, fused=fused or None)
    task.module.train()

    def step():
        loss = task.module(task.batch(torch.randint(0, task.count, (batch,)), 10**9))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step, batch


def official_depth_step(path: str, height: int, width: int, batch: int):
    """A step of Monodepth2's own trainer with its defaults; its batch is there already, as its loaders make it."""
    sys.path.insert(0, path)
    for name, gives in (("tensorboardX", "SummaryWriter"), ("IPython", "embed"), ("skimage", "transform")):
        sys.modules[name] = stub = ModuleType(name)  # of what it draws and reads with, nothing is used here
        setattr(stub, gives, None)
    sys.modules["skimage.transform"] = ModuleType("skimage.transform")
    import layers
    import networks
    from trainer import Trainer

    official = Trainer.__new__(Trainer)
    official.opt = SimpleNamespace(
        **dict(height=height, width=width, batch_size=batch, scales=[0, 1, 2, 3], frame_ids=[0, -1, 1]),
        **dict(min_depth=0.1, max_depth=100.0, disparity_smoothness=1e-3, pose_model_type="separate_resnet"),
        **dict(v1_multiscale=False, disable_automasking=False, predictive_mask=False, avg_reprojection=False),
        **dict(no_ssim=False, use_stereo=False),
    )
    official.device, official.num_scales, official.num_pose_frames, official.use_pose_net = DEVICE, 4, 2, True
    encoder, pose = networks.ResnetEncoder(18, False), networks.ResnetEncoder(18, False, num_input_images=2)
    official.models = {"encoder": encoder, "depth": networks.DepthDecoder(encoder.num_ch_enc, [0, 1, 2, 3])}
    official.models |= {"pose_encoder": pose, "pose": networks.PoseDecoder(pose.num_ch_enc, 1, 2)}
    for network in official.models.values():
        network.to(DEVICE)
    official.ssim = layers.SSIM().to(DEVICE)
    official.backproject_depth = {
        s: layers.BackprojectDepth(batch, height >> s, width >> s).to(DEVICE) for s in range(4)
    }
    official.project_3d = {s: layers.Project3D(batch, height >> s, width >> s).to(DEVICE) for s in range(4)}
    optimiser = torch.optim.Adam([p for network in official.models.values() for p in network.parameters()], 1e-4)
    video = random_video(height, width)
    triplet = triplet_batch(video, video.triplets(), torch.arange(batch), torch.default_generator, DEVICE)
    intrinsics = torch.eye(4, device=DEVICE).repeat(batch, 1, 1)
    intrinsics[:, :3, :3] = triplet.intrinsics
    inputs = {("K", 0): intrinsics, ("inv_K", 0): torch.linalg.inv(intrinsics)}
    for number, frame in enumerate((-1, 0, 1)):
        inputs["color_aug", frame, 0] = triplet.jittered[:, number].contiguous()
        for scale in range(4):
            smaller = torch.nn.functional.avg_pool2d(triplet.frames[:, number], 2**scale)
            inputs["color", frame, scale] = smaller.contiguous()
    official.set_train()

    def step():
        _, losses = official.process_batch(dict(inputs))
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()

    return step, batch


def segmentation_task(encoder: str, height: int, width: int, setting: str, plain: bool, validation: int = 4):
    """Fine-tuning of 16 images of noise; `plain` has the decoder as it was, one channel after the other,
    and is evaluated by eight."""
    draw, count = np.random.default_rng(0), 16 + validation
    images = draw.integers(0, 255, (count, 3, height, width), np.uint8)
    labels = draw.integers(0, 19, (count, height, width), np.uint8)
    data = Labelled(images, labels, KITTI, tuple(map(str, range(count))))
    config = FinetuneConfig(initialisation="none", setting=setting, encoder=encoder, height=height, width=width)
    task = finetune.SegmentationTask(config, data.subset(np.arange(16)), data.subset(np.arange(16, count)), DEVICE)
    if plain:
        network = task.module.network
        network.decoder = PlainDecoder(network.encoder.channels, decoder_widths(encoder)).to(DEVICE)
        task.module.to(memory_format=torch.contiguous_format)
        task.together = 8
    return task


def segmentation_step(encoder: str, height: int, width: int, batch: int, plain: bool, setting: str = "full"):
    return optimised(segmentation_task(encoder, height, width, setting, plain), batch, not plain)


def frozen_step(encoder: str, height: int, width: int, batch: int, stored: bool):
    """A step above a frozen encoder, from stored features or with the encoder computed in each step."""
    task = segmentation_task(encoder, height, width, "frozen", False)
    if not stored:
        task._stores = lambda images: False
    return optimised(task, batch, True)


def trial(plain: bool):
    """A sixth of a trial of the laptop study, which has 280 steps of 4 images and 6 evaluations on 184."""
    task = segmentation_task("resnet18-slim", 64, 192, "full", plain, validation=184)
    task.module.to(memory_format=torch.channels_last)  # it had that before
    step, _ = optimised(task, 4, not plain)

    def part():
        for _ in range(47):
            step()
        task.module.eval()
        with torch.no_grad():
            task.evaluate()
        task.module.train()

    return part, 1


def counting(plain: bool):
    """What the metrics of 184 images take: counts of pixels by class, and both mIoU from them."""
    draw = np.random.default_rng(0)
    predicted, truth = draw.integers(0, 19, (2, 184, 64, 192))
    if plain:
        return lambda: by_masks(predicted, truth), 184
    on_device = torch.from_numpy(predicted).to(DEVICE), torch.from_numpy(truth).to(DEVICE)

    def ours():
        counted, on_void = evaluation.confusion_matrix(*on_device, 19)
        metrics.segmentation_metrics(counted.cpu().numpy(), on_void.cpu().numpy(), KITTI.representative)

    return ours, 184


def by_masks(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The mIoU of the set and the mean of the images', by masks of each class in each image."""
    counts = np.zeros((len(truth), 19, 2))
    for number, (p, t) in enumerate(zip(predicted, truth, strict=True)):
        for of in range(19):
            counts[number, of] = ((p == of) & (t == of)).sum(), ((p == of) | (t == of)).sum()
    total, each = counts.sum(0), counts[..., 0] / counts[..., 1]
    return (total[:, 0] / total[:, 1]).mean(), each.mean()


PAPERS = 2 if DEVICE.type == "cpu" else 12
"""Samples of a batch of depth at the paper's size."""
TUNED = 4 if DEVICE.type == "cpu" else 16
"""Of fine-tuning."""
GPU = DEVICE.type == "cuda"
CASES = {
    "depth-slim": Case(
        "depth step, slim, 64x192, batch 8, beside the step left to autograd",
        lambda given: depth_step("resnet18-slim", 64, 192, 8, True),
        lambda given: depth_step("resnet18-slim", 64, 192, 8, False, PlainDepthTraining),
        1.5,
    ),
    "depth-official": Case(
        f"depth step, ResNet-18, 192x640, batch {PAPERS}, beside Monodepth2's own",
        lambda given: depth_step("resnet18", 192, 640, PAPERS, True),
        lambda given: official_depth_step(given.monodepth2, 192, 640, PAPERS),
        5.0 if GPU else 1.6,
    ),
    "depth-official-small": Case(
        "depth step, ResNet-18, 64x192, batch 8, beside Monodepth2's own",
        lambda given: depth_step("resnet18", 64, 192, 8, True),
        lambda given: official_depth_step(given.monodepth2, 64, 192, 8),
        2.3,
    ),
    "trial": Case(
        "fine-tuning trial of the laptop study, evaluations included, beside the same as it was",
        lambda given: trial(False),
        lambda given: trial(True),
        1.4,
    ),
    "metrics": Case(
        "metrics of 184 images of 64x192, both mIoU, beside counting by masks image by image",
        lambda given: counting(False),
        lambda given: counting(True),
        5.0,
    ),
    **{
        f"finetune-{encoder}": Case(
            f"fine-tuning step, {encoder}, 192x640, batch {TUNED}, beside a plain loop",
            lambda given, encoder=encoder: segmentation_step(encoder, 192, 640, TUNED, False),
            lambda given, encoder=encoder: segmentation_step(encoder, 192, 640, TUNED, True),
            5.0 if GPU else 1.2,
        )
        for encoder in ("resnet18", "resnet50")
    },
    **{
        f"frozen-{encoder}": Case(
            f"step above a frozen encoder, {encoder}, {height}x{width}, batch 4, beside the encoder computed each time",
            lambda given, of=(encoder, height, width): frozen_step(*of, 4, True),
            lambda given, of=(encoder, height, width): frozen_step(*of, 4, False),
            goal,
        )
        for encoder, height, width, goal in (
            ("resnet18-slim", 64, 192, 1.09),
            ("resnet18", 192, 640, 1.38),
            ("resnet50", 192, 640, 1.49),
        )
    },
}


def measure(case: str, side: str, given: argparse.Namespace) -> None:
    """Print, as JSON, the seconds and operations of a sample, and the peak memory in MiB of this process."""
    if GPU:
        torch.set_float32_matmul_precision("high")
    step, samples = getattr(CASES[case], side)(given)
    step()
    with FlopCounterMode(display=False) as counter:
        step()
    seconds, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS or not seconds:
        before = time.perf_counter()
        step()
        store.synchronise()
        seconds.append(time.perf_counter() - before)
    peak = (
        torch.cuda.max_memory_allocated() / 2**20 if GPU else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    )
    found = {"seconds": min(seconds) / samples, "mean": sum(seconds) / len(seconds) / samples, "peak": peak}
    print(json.dumps(found | {"operations": counter.get_total_flops() / samples, "rate": matrix_rate()}))


def matrix_rate() -> float:
    """Operations a second of a large float32 matrix product (TF32 on a GPU that has it)."""
    size = 8192 if GPU else 1536
    first, second = torch.rand(2, size, size, device=DEVICE)
    seconds = []
    for _ in range(8):
        before = time.perf_counter()
        first @ second
        store.synchronise()
        seconds.append(time.perf_counter() - before)
    return 2 * size**3 / min(seconds)


def child(case: str, side: str, given: argparse.Namespace) -> dict:
    """What a process of its own measures."""
    official = ["--monodepth2", given.monodepth2] if given.monodepth2 else []
    return store.in_process(__file__, "--case", case, "--side", side, *official)


def compare(case: str, given: argparse.Namespace) -> dict:
    """A row of the table: both sides in turn."""
    rounds = [{side: child(case, side, given) for side in ("ours", "plain")} for _ in range(given.rounds)]
    ours, plain = (min((of[side] for of in rounds), key=lambda found: found["seconds"]) for side in ("ours", "plain"))
    rate = max(of[side]["rate"] for of in rounds for side in of)
    floor = ours["operations"] / rate
    row = store.row(CASES[case].what, 1 / ours["seconds"], 1 / plain["seconds"], "samples/s", CASES[case].goal)
    row |= {"operations": round(ours["operations"] / 1e9, 2), "plain_operations": round(plain["operations"] / 1e9, 2)}
    row |= {"matrix_rate": round(rate / 1e9, 1), "floor_share": round(floor / ours["seconds"], 3)}
    return row | {"peak_mib": round(ours["peak"]), "plain_peak_mib": round(plain["peak"])}


def side_by_side(given: argparse.Namespace, count: int = 4) -> dict:
    """Fine-tuning in four processes that share one GPU, beside one that has it alone."""
    case = "finetune-resnet18"
    alone = child(case, "ours", given)
    with ThreadPoolExecutor(count) as pool:
        sharing = list(pool.map(lambda _: child(case, "ours", given), range(count)))
    together = sum(1 / found["mean"] for found in sharing)
    what = f"{count} trials on one GPU, ResNet-18, 192x640, batch {TUNED}, beside one after another"
    return store.row(what, together, 1 / alone["mean"], "samples/s", 2.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the comparisons whose names hold this")
    parser.add_argument("--monodepth2", help="a clone of Monodepth2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=("ours", "plain"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        measure(given.case, given.side, given)
        return
    if GPU and given.only in "side-by-side":
        store.save([side_by_side(given)])
    for case in CASES:
        if given.only not in case:
            continue
        if "official" in case and not given.monodepth2:
            print(f"{CASES[case].what}: not measured, it takes --monodepth2 PATH", flush=True)
            continue
        row = compare(case, given)
        store.save([row])
        if not row["operations"]:  # counts of pixels are no multiplications
            continue
        reached = f"{100 * row['floor_share']:.0f} % of {row['matrix_rate']} GFLOP/s"
        print(f"  {row['operations']} GFLOP a sample (plain {row['plain_operations']}), {reached}", end=", ")
        print(f"peak {row['peak_mib']} MiB (plain {row['plain_peak_mib']})", flush=True)
    if not GPU:
        print(
            "With a GPU, the same command measures these at the paper's batches, 12 and 16, and four trials sharing it."
        )


if __name__ == "__main__":
    main()
