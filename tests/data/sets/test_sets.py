"""What every real set promises, on tiny ones of the true formats: one check for all of them."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import own_data, tiny_cityscapes, tiny_kitti, tiny_nyu
from helpers.tiny import label, picture, snapshot, truncate
from matplotlib.figure import Figure
from scipy.io import savemat

from depthseg_lib.commands import check_data, figures
from depthseg_lib.data import cache as caches
from depthseg_lib.data import resize, sources
from depthseg_lib.data.arrays import split_triplets
from depthseg_lib.data.labels import VOID
from depthseg_lib.errors import InputError
from depthseg_lib.settings import DataSettings, FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profiles import PROFILES
from depthseg_lib.training import finetune, pretrain

SETS = {
    "kitti": lambda root: tiny_kitti.write(root, pairs=6),
    "nyu": tiny_nyu.whole,
    "cityscapes": tiny_cityscapes.whole,
    "folder": own_data.write,
}
HOLDS = {  # labelled images by split, frames of the video, their sequences, and what `make check-data` says
    "kitti": ({"training": 6}, 34, 6, "measured depth, in 4 images"),
    "nyu": ({"train": 8, "test": 4}, 12, 3, "1.5 to 4."),
    "cityscapes": ({"train": 6, "val": 4}, 20, 4, "from 5 (aachen_000000_000000)"),
    "folder": ({"training": 8}, 12, 1, "measured depth: none"),
}
NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png", ".0.png.swp", ".#0.png", "0.png~", "~$0.png")
"""What systems and editors leave in folders."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every tiny set, written once."""
    return {name: write(tmp_path_factory.mktemp("sets") / name) for name, write in SETS.items()}


@pytest.fixture(params=SETS)
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(made, name):
    """A set that a test may not change."""
    return made[name]


@pytest.fixture
def copy(root, tmp_path):
    """The same set, to be changed."""
    return Path(shutil.copytree(root, tmp_path / "copy"))


def settings(name, root, **changes) -> DataSettings:
    return DataSettings(**dict(data_set=name, data_folder=str(root), height=64, width=96) | changes)


def listed(name, root):
    return sources.listed(settings(name, root))


def read(name, root):
    """Everything that training sees of a set."""
    video, (training, test) = sources.load_video(settings(name, root)), listed(name, root).annotated(64, 96)
    both = [training] if test is None else [training, test]
    return [video.images, video.sequence, video.intrinsics, *(array for of in both for array in (of.images, of.labels))]


def test_what_is_listed_is_what_is_read(name, root):
    found, (splits, frames, sequences, _) = listed(name, root), HOLDS[name]
    found.check()
    assert {split: len(images) for split, images in found.labelled.items()} == splits
    assert sum(map(len, found.sequences.values())) == frames and len(found.sequences) == sequences
    assert found.count == next(iter(splits.values())) and list(found.remarks) == []
    read_splits = [of for of in found.annotated(64, 96) if of is not None]
    for images, (split, count) in zip(read_splits, splits.items(), strict=True):
        assert images.images.shape == (count, 3, 64, 96) and images.label_set is found.label_set
        assert images.names == tuple(one.name for one in found.labelled[split]) and len(set(images.names)) == count
        first = found.labelled[split][0]
        ids = found.label_set.encode(first.ids(), first.where)
        assert set(np.unique(images.labels[0])) <= set(np.unique(ids)) <= {*range(len(found.label_set.classes)), VOID}
        assert first.image().size[::-1] == ids.shape
    for one in found.depth:
        metres = one.depth()
        assert metres.shape == one.image().size[::-1] and 0.5 < metres[metres > 0].min() and metres.max() < 20


def test_what_is_remarked_on_is_said_before_the_video_is_read(name, root, monkeypatch):
    monkeypatch.setattr(type(listed(name, root)), "remarks", ["intrinsics are guessed"])
    sources.load_video(settings(name, root), (lines := []).append)
    assert lines[0] == "note: intrinsics are guessed" and len(lines) > 1


def test_single_images_are_no_video(name, copy):
    for files in listed(name, copy).sequences.values():
        for file in files[1:]:
            file.unlink()
    with pytest.raises(
        InputError, match="three frames at least that follow|frames at least in each of|no frame|triplet"
    ):
        sources.check(settings(name, copy), 4, decode=False)


def test_video_can_be_learned_from_and_evaluated_on(name, root):
    video = sources.load_video(settings(name, root))
    training, held_out = split_triplets(video, 1)
    assert len(training) and len(held_out) and not set(training[:, 1]) & set(held_out[:, 1])
    assert video.images.shape[1:] == (3, 64, 96) and (np.diff(video.sequence) >= 0).all()
    assert (video.intrinsics[:, [0, 1], [0, 1]] > 20).all() and (video.intrinsics[:, 2] == [0, 0, 1]).all()
    assert np.allclose(video.intrinsics[:, :2, 2], [48, 32], atol=8)
    assert (video.depth is not None) == bool(listed(name, root).depth)
    assert (
        sources.depth_camera(settings(name, root)) is None and sources.load_flow(settings(name, root), training) is None
    )


def test_training_and_validation_are_fixed_and_apart(name, root):
    training, validation = sources.load_annotated(settings(name, root), 4)
    assert len(training.names) == 4 and not set(training.names) & set(validation.names)
    splits = HOLDS[name][0]
    assert len(validation.names) == (splits["training"] - 4 if "training" in splits else list(splits.values())[1])
    assert sources.load_annotated(settings(name, root), 4)[0].names == training.names
    if "training" in splits:  # all of them: then validation is on all of them too
        assert len(sources.load_annotated(settings(name, root), splits["training"])[1].names) == splits["training"]


def test_a_read_only_source_behind_a_link_is_read_once_and_not_written_to(name, copy, tmp_path, monkeypatch):
    places = [copy, *sorted(copy.rglob("*"))]
    for place in places:
        place.chmod(place.stat().st_mode & ~0o222)
    before = snapshot(copy)
    (tmp_path / "link").symlink_to(copy)
    first = read(name, tmp_path / "link")
    monkeypatch.setattr(caches, "mapped", lambda *_: pytest.fail("it was read again"))
    if name == "nyu":
        monkeypatch.setattr("depthseg_lib.data.sets.nyu_raw.failures", lambda *_: [])  # headers of depth, each time
    assert all((a == b).all() for a, b in zip(first, read(name, tmp_path / "link"), strict=True))
    assert snapshot(copy) == before
    for place in places:
        place.chmod(place.stat().st_mode | 0o200)


def test_what_systems_and_editors_leave_there_is_no_other_data(name, copy):
    before, content = listed(name, copy).digest, read(name, copy)
    for place in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        for litter in LITTER:
            (place / litter).write_bytes(b"x")
        (place / ".ipynb_checkpoints").mkdir()
        for file in [file for file in place.iterdir() if file.is_file() and not file.name.startswith(".")]:
            shutil.copy(file, place / ".ipynb_checkpoints" / file.name)
            if file.suffix in (".png", ".jpg", ".ppm"):
                (place / f"._{file.name}").write_bytes(b"x")
    assert listed(name, copy).digest == before
    listed(name, copy).check()
    assert all((a == b).all() for a, b in zip(content, read(name, copy), strict=True))


def calibration(root):
    file = next(root.rglob("calib_cam_to_cam.txt"))
    file.write_text(file.read_text().replace("R_rect_00: 1 0", "R_rect_00: 1 1"))


def camera(root):
    file = next(root.rglob("*_camera.json"))
    file.write_text(file.read_text().replace("110.0", "120.0"))


def described(root):
    own_data.describe(root, video=[{"folder": "drive", "intrinsics": own_data.CAMERA | {"fx": 71}}])


def split(root):
    savemat(root / "splits.mat", {"trainNdxs": np.arange(1, 10), "testNdxs": np.arange(10, 13), "more": np.ones(9)})


def remove(pattern):
    return lambda root: sorted(root.rglob(pattern))[0].unlink()


CHANGES = {
    "kitti": (calibration, remove("*.bin"), lambda root: (root / "splits").mkdir() or (root / "splits/a").touch()),
    "nyu": (split, remove("a-*.dump"), remove("r-*.ppm")),
    "cityscapes": (camera, remove("*_polygons.json"), remove("*_leftImg8bit.png")),
    "folder": (described, remove("*.jpg"), lambda root: picture(root / "drive" / "012.jpg", 64, 96)),
}


def test_changed_files_change_the_digest_and_others_dont(name, copy):
    digests = [listed(name, copy).digest]
    for change in CHANGES[name]:
        change(copy)
        digests.append(listed(name, copy).digest)
    (copy / "notes.txt").write_text("no part of the set")
    assert len(set(digests)) == 4 and listed(name, copy).digest == digests[-1]


def test_a_killed_reading_goes_on_where_it_was(name, root, monkeypatch):
    whole, left = read(name, root), [9]
    expected = [np.array(array) for array in whole]
    monkeypatch.setenv("DEPTHSEG_CACHE", str(Path(caches.cache_root(), "another")))
    monkeypatch.setattr(caches, "BLOCK", 3)
    monkeypatch.setattr(caches, "THREADS", 1)  # of two, one may be held up while the other uses up what is let through
    plain = resize.Resize.image

    def killed(how, image):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return plain(how, image)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(resize.Resize, "image", killed)
        read(name, root)
    lines = []
    sources.load_video(settings(name, root), lines.append)
    assert any("of them read before" in line for line in lines)
    assert all((a == b).all() for a, b in zip(expected, read(name, root), strict=True))


BROKEN = [
    ("kitti", lambda root: shutil.rmtree(root / "raw"), r"lacks KITTI raw: expected one that holds.*found semantics"),
    ("kitti", lambda root: shutil.rmtree(root / "semantics"), r"lacks KITTI semantics: .*eval_semseg.*found raw"),
    ("kitti", remove("2011_09_28/calib_cam_to_cam.txt"), r"2011_09_28/calib_cam_to_cam\.txt cannot be read"),
    ("kitti", remove("2011_09_28/calib_velo_to_cam.txt"), r"2011_09_28/calib_velo_to_cam\.txt cannot be read"),
    (
        "kitti",
        lambda root: shutil.rmtree(root / "raw" / tiny_kitti.TESTED / "velodyne_points"),
        r"none of the 1 drives .* has velodyne scans: expected files such as .*drive_0002_sync/velodyne_points",
    ),
    ("kitti", remove("semantic/000003_10.png"), "do not match: .*000003_10"),
    ("kitti", lambda root: label(next(root.rglob("semantic/000002_10.png")), np.full((61, 93), 26001, np.uint16)),
     r"000002_10\.png: label ids \[26001\] are not in the label set 'KITTI'"),
    ("kitti", lambda root: label(root / "semantics/training/semantic/000002_10.png", np.zeros((64, 99), np.uint8)),
     r"000002_10\.png is 93x61, but its label image .* is 99x64"),
    ("kitti", lambda root: truncate(next(root.rglob("image_2/000001_10.png"))), r"000001_10\.png cannot be read"),
    ("nyu", remove("splits.mat"), r"lacks splits\.mat: expected .*nyu_depth_v2\.html.*found classMapping40"),
    ("nyu", lambda root: shutil.rmtree(root / "raw"), r"lacks raw: expected .*; found classMapping40\.mat, nyu_depth"),
    ("nyu", lambda root: truncate(root / "nyu_depth_v2_labeled.mat"), r"nyu_depth_v2_labeled\.mat cannot be read"),
    ("cityscapes", lambda root: shutil.rmtree(root / "camera"), r"lacks camera: .*camera_trainvaltest\.zip from https"),
    ("cityscapes", remove("aachen_000004_000019_gtFine_labelIds.png"),
     "do not match: .*found 1 with only one of them, such as aachen_000004_000019"),
    ("cityscapes", lambda root: truncate(next(root.glob("leftImg8bit/train/*/*000002*"))), "000002.* cannot be read"),
    ("cityscapes", lambda root: truncate(next(root.glob("gtFine/val/*/*02_*labelIds*"))), "labelIds.* cannot be read"),
    ("cityscapes", lambda root: picture(next(root.glob("leftImg8bit/train/*/*000003*")), 96, 180),
     r"000003_000019_leftImg8bit\.png is 180x96, but its label image .* 96x48"),
    ("cityscapes", lambda root: label(next(root.glob("gtFine/train/*/*1_*labelIds*")), np.full((48, 96), 34, np.uint8)),
     r"000001_000019_gtFine_labelIds\.png: label ids \[34\].*'Cityscapes'"),
    ("folder", remove("dataset.json"), "write one with `make describe"),
    ("folder", remove("labels/2.png"), "expected a label image for every image"),
    ("folder", lambda root: truncate(root / "drive/004.jpg"), r"004\.jpg"),
    ("folder", lambda root: picture(root / "drive/005.jpg", 32, 48), r"005\.jpg is 48x32, but 96x64 was expected"),
    ("folder", lambda root: label(root / "labels/3.png", np.full((64, 96), 9, np.uint8)),
     r"labels/3\.png: label ids \[9\] are not in the label set 'my town'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "message"), BROKEN)
def test_what_is_broken_or_missing_is_said_before_anything_runs(name, copy, damage, message):
    damage(copy)
    with pytest.raises(InputError, match=message):
        sources.check(settings(name, copy), 4)


FRAMES = {"kitti": f"{tiny_kitti.FIRST}/image_02/data/*2.png", "nyu": "r-*.ppm",
          "cityscapes": "leftImg8bit_sequence/*/*/*_leftImg8bit.png", "folder": "drive/005.jpg"}  # fmt: skip


def test_a_broken_frame_and_one_of_another_size_are_named(name, copy):
    frame = sorted(copy.rglob(FRAMES[name]))[-1]
    truncate(frame)
    with pytest.raises(InputError, match=rf"{frame.name} cannot be read"):
        sources.load_video(settings(name, copy))
    picture(frame, 240, 320)
    with pytest.raises(InputError, match=rf"{frame.name} is 320x240, but \d+x\d+ was expected"):
        sources.load_video(settings(name, copy))


def test_too_few_images_no_data_and_a_folder_that_is_not_there_are_said(name, root):
    count = listed(name, root).count
    with pytest.raises(InputError, match=f"has {count} annotated training images, but the run asks for {count + 1}"):
        sources.check(settings(name, root), count + 1)
    with pytest.raises(InputError, match="there is no such folder; expected one"):
        study_plan.check(name, str(root / "nowhere"))
    with pytest.raises(InputError, match=f"'{name}' needs DATA=folder, one"):
        study_plan.check(name)
    with pytest.raises(InputError, match=r"lacks|is empty|cannot be read"):
        (Path(caches.cache_root()) / "empty").mkdir(parents=True)
        sources.check(settings(name, Path(caches.cache_root()) / "empty"), 1)


def test_a_full_disk_is_one_sentence(name, root, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caches, "reserved", full)
    with pytest.raises(InputError, match="the cache folder .* cannot be written .No space left on device"):
        listed(name, root).annotated(64, 96)


def few(name: str):
    """The profile of a set with two steps of a pre-training and a fine-tuning; no other settings are changed."""
    start = "depth-supervised" if name == "nyu" else "flow"
    steps = dict(iterations=2, batch=2, evaluate_every=1, precision="32-true")
    whole = PROFILES[name]
    trained = {kind: getattr(whole, kind) | steps | {"evaluated": 4} for kind in ("flow", "supervised")}
    data = whole.data.changed(height=64, width=96)
    few = dict(initialisations=(start,), trials=1, sizes=(4,), images=4, parts=(), finetune_of={})
    tuned = whole.finetune | steps | (dict(height=512, width=544) if "height" in whole.finetune else {})  # crops of 512
    return replace(whole, data=data, encoders=("resnet18-slim",), finetune=tuned, **trained, **few)


@pytest.mark.parametrize("name", ["nyu", "cityscapes"])  # on the others depth is learned in whole studies
def test_its_figures_are_planned_and_a_pretraining_and_a_finetuning_run_on_it(
    name, root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(PROFILES, name, few(name))
    places = {"data": root, "runs": tmp_path / "runs", "figures": tmp_path / "figures", "notebooks": NOTEBOOKS}
    options = [part for key, value in places.items() for part in (f"--{key}", str(value))]
    assert figures.make(figures._parser().parse_args(["--profile", name, "--dry", *options])) == 0
    said, plan = capsys.readouterr().out, study_plan.plan(name, str(root), tmp_path / "runs")
    first, second = plan.runs
    drawn = {"fig03_curves", "table1", "claims", "fig12_supervised_depth" if name == "nyu" else "flow"}
    assert drawn <= {of for names in plan.figures.values() for of in names}
    jobs = [
        *(("data", of.name) for of in plan.data),
        ("pretrain", f"{first.name}/t0"),
        ("finetune", f"{second.name}/t0"),
    ]
    jobs += [("figures", stem) for stem in plan.figures]
    assert all(f"{number:4}  {' '.join(job)}" in said for number, job in enumerate(jobs, 1)), said
    for run, config, work in ((first, PretrainConfig, pretrain.run), (second, FinetuneConfig, finetune.run)):
        ((place, values),) = run.settings().items()
        work(config(**values), tmp_path / "runs" / name / run.kind / place, print)
    metrics = json.loads((tmp_path / "runs" / name / "pretrain" / first.name / "t0/metrics.json").read_text())
    assert metrics["iteration"] == 2 and ("abs_rel" in metrics) == (name == "nyu")
    (trial,) = (tmp_path / "runs" / name / "finetune" / second.name).glob("t*")
    confusion = np.load(trial / "confusion.npz")["images"]
    assert len(confusion) == list(HOLDS[name][0].values())[1] and confusion.shape[1] == len(plan.label_set.classes)


def test_check_data_looks_into_it(name, root, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, name, replace(PROFILES[name], sizes=(4,), images=4))
    monkeypatch.setattr("depthseg_lib.plots.pictures.data_sheet", lambda *_: Figure(figsize=(1, 1)))
    lines, (splits, frames, sequences, more) = [], HOLDS[name]
    assert check_data.check(name, str(root), runs=str(tmp_path / "runs"), say=lines.append) == 0, lines
    said = "\n".join(lines)
    assert all(f"{split}: {count} labelled images" in said for split, count in splits.items())
    assert f"video: {frames} frames in {sequences} sequences" in said and more in said
    assert list((tmp_path / "runs").rglob("contact_sheet.png"))
