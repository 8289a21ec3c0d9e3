"""NYU-V2: the labelled set from HDF5 with its split and classes, and the raw dump with depth in the colour image."""

import cv2
import h5py
import numpy as np
import pytest
from helpers import tiny_nyu
from helpers.real_data import real_set
from helpers.tiny import truncate
from scipy.io import loadmat, savemat

from depthseg_lib.data import resize
from depthseg_lib.data.labels import NYU13, NYU_40_TO_13, VOID
from depthseg_lib.data.sets import nyu, nyu_raw
from depthseg_lib.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    tiny_nyu.labelled(tmp_path / "nyu")
    return tmp_path / "nyu"


def read(root, split="train"):
    return nyu.Nyu(root).annotated(60, 80)[("train", "test").index(split)]


def arrays(file):
    return h5py.File(file, "r+")


def test_images_are_upright_and_named_by_their_number(root):
    with arrays(root / nyu.LABELLED) as file:
        pixels = file["images"][9]
    found = read(root, "test")
    assert found.names == ("0009", "0010", "0011", "0012") and found.images.shape == (4, 3, 60, 80)
    assert (found.images[1] == pixels.transpose(0, 2, 1)).all()
    assert isinstance(found.images, np.memmap)


def test_894_classes_become_13_and_0_is_void(tmp_path):
    ids = tiny_nyu.labelled(tmp_path / "nyu")[:8].astype(int)
    thirteen = np.array(NYU_40_TO_13)[tiny_nyu.MAPPED[ids - 1] - 1] - 1
    found = read(tmp_path / "nyu")
    assert (found.labels == np.where(ids == 0, VOID, thirteen)).all() and len(np.unique(thirteen)) > 5
    assert found.label_set is NYU13


def test_images_are_read_one_by_one(root, monkeypatch):
    asked, read_one = [], nyu.LabelledSet.read
    monkeypatch.setattr(nyu.LabelledSet, "read", lambda *of: asked.append(of[1:]) or read_one(*of))
    listed = nyu.Nyu(root).labelled
    assert asked == []
    listed["test"][0].image()
    assert asked == [("images", 8)]


def test_a_damaged_image_is_named(root):
    with arrays(root / nyu.LABELLED) as file:
        chunk = file["images"].id.get_chunk_info(0)
    content = bytearray((root / nyu.LABELLED).read_bytes())
    content[512 + chunk.byte_offset + 5 : 512 + chunk.byte_offset + 60] = b"\xff" * 55
    (root / nyu.LABELLED).write_bytes(content)
    with pytest.raises(InputError, match=r"nyu_depth_v2_labeled\.mat cannot be read .*expected image \d+ of 'images'"):
        read(root)


def test_an_older_matlab_file_is_no_labelled_set(root):
    savemat(root / nyu.LABELLED, {"images": np.zeros(3)})
    with pytest.raises(InputError, match=r"nyu_depth_v2_labeled\.mat cannot be read .*expected NYU-V2's labelled set"):
        read(root)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("labels", None, "the array 'labels' is none, but uint16"),
        ("labels", np.zeros((12, 80, 60), np.uint8), "'labels' is uint8 .*, but uint16"),
        ("images", np.zeros((12, 80, 60), np.uint8), r"'images' is uint8 \(12, 80, 60\), but uint8 \(N, 3, 640, 480\)"),
        ("labels", np.zeros((12, 60, 80), np.uint16), "expected as many images as label images, of one size"),
        ("labels", np.zeros((11, 80, 60), np.uint16), "expected as many images as label images, of one size"),
        ("labels", np.full((12, 80, 60), 895, np.uint16), "image 1: label ids up to 895, expected 0 to 894"),
        ("labels", np.full((12, 80, 60), 300, np.uint16).byteswap(), "image 1: label ids up to 11265"),
    ],
)
def test_arrays_that_are_not_nyus_are_refused(root, name, array, message):
    with arrays(root / nyu.LABELLED) as file:
        del file[name]
        if array is not None:
            file[name] = array
    with pytest.raises(InputError, match=message):
        read(root)


@pytest.mark.parametrize("name", [nyu.SPLITS, nyu.MAPPING])
def test_a_cut_off_matlab_file_is_named(root, name):
    truncate(root / name)
    with pytest.raises(InputError, match=rf"{name} cannot be read .*cut short"):
        read(root)


def test_a_split_that_does_not_fit_the_labelled_set_is_refused(root):
    savemat(root / nyu.SPLITS, {"trainNdxs": np.arange(1, 9), "testNdxs": np.arange(9, 14)})
    with pytest.raises(InputError, match=r"8 training and 5 test images, numbers 1 to 13: expected each of the 12"):
        read(root)
    savemat(root / nyu.SPLITS, {"train": np.arange(3)})
    with pytest.raises(InputError, match=r"splits\.mat has no numbers named 'trainNdxs'"):
        read(root)


def test_a_mapping_of_other_classes_is_refused(root):
    savemat(root / nyu.MAPPING, {"mapClass": np.arange(1, 14)})
    with pytest.raises(InputError, match=r"classMapping40\.mat maps 13 classes to 1 \.\. 13: expected 894"):
        read(root)


def test_the_real_split_and_mappings():
    root = real_set("nyu_meta")
    training, test = nyu.read_split(root / nyu.SPLITS, 1449)
    assert (len(training), len(test)) == (795, 654) and training[:3].tolist() == [2, 3, 4] and test[0] == 0
    forty = nyu.to_forty(root / nyu.MAPPING)
    names, known = ([str(one[0]) for one in loadmat(root / nyu.MAPPING)[of][0]] for of in ("className", "allClassName"))
    assert len(names) == 40 and sorted(set(forty.tolist())) == list(range(41))
    assert all(names[forty[1 + known.index(name)] - 1] == name for name in ("cabinet", "ceiling", "sink"))
    thirteen = loadmat(root / "class13Mapping.mat")["classMapping13"][0, 0]
    assert tuple(str(name.ravel()[0]) for name in thirteen["classNames"].ravel()) == NYU13.classes
    assert tuple(thirteen["labels13"].ravel().tolist()) == NYU_40_TO_13


@pytest.fixture
def dump(tmp_path):
    tiny_nyu.raw(tmp_path / "raw", scenes=2, frames=3)
    return tmp_path / "raw"


def video(dump, progress=None):
    return nyu_raw.video(nyu_raw.scenes(dump), 96, 128, progress)


def one(dump, pattern):
    return sorted(dump.rglob(pattern))[1]


def test_scenes_are_sequences_with_depth(dump):
    found = video(dump)
    assert found.sequence.tolist() == [0, 0, 0, 1, 1, 1] and found.images.shape == (6, 3, 96, 128)
    assert found.depth.shape == (6, 96, 128) and found.depth.dtype == np.float16
    assert (found.depth > 0).mean() > 0.75  # the colour camera sees more than the depth camera
    middle = found.depth[:3, 48, 64].astype(float)
    assert np.allclose(np.diff(middle), 0.1, atol=0.02) and abs(middle[0] - 2.75) < 0.1
    fx, cx = nyu_raw.COLOUR.focal[0], nyu_raw.COLOUR.centre[0]
    assert np.allclose(found.intrinsics[0, 0], [fx / 5, 0, (cx + 0.5) / 5 - 0.5])


def test_scenes_in_folders_of_room_types_are_found(dump):
    (dump / "basements").mkdir()
    (dump / "basement_0001a").rename(dump / "basements" / "basement_0001a")
    assert [scene.colour[0].parent.name for scene in nyu_raw.scenes(dump)] == ["basement_0000a", "basement_0001a"]


def test_the_nearest_depth_frame_is_taken(tmp_path):
    times, others = np.array([0.0, 0.03, 0.1, 9.0]), np.array([0.01, 0.04, 0.11])
    assert nyu_raw.nearest(times, others).tolist() == [0, 1, 2, 2]
    assert nyu_raw.nearest(times, others[:1]).tolist() == [0, 0, 0, 0]
    for name in ("r-10.00-1.ppm", "r-10.50-2.ppm", "r-9.90-0.ppm", "d-10.05-1.pgm", "d-9.91-0.pgm", "d-9.80-0.pgm"):
        (tmp_path / "den" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "den" / name).touch()
    (scene,) = nyu_raw.scenes(tmp_path)
    assert [file.name for file in scene.colour] == ["r-9.90-0.ppm", "r-10.00-1.ppm"]
    assert [file.name for file in scene.depth] == ["d-9.91-0.pgm", "d-10.05-1.pgm"] and scene.left_out == 1


def test_a_recording_is_cut_where_it_pauses_and_not_where_it_drops_a_frame(tmp_path):
    for time in (10.00, 10.03, 10.10, 11.00, 11.03, 11.06):
        for name in (f"r-{time:.2f}-1.ppm", f"d-{time + 0.01:.2f}-1.pgm"):
            (tmp_path / "den" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "den" / name).touch()
    first, second = nyu_raw.scenes(tmp_path)
    assert (first.name, second.name) == ("den from r-10.00-1.ppm", "den from r-11.00-1.ppm")
    assert [file.name for file in first.colour] == ["r-10.00-1.ppm", "r-10.03-1.ppm", "r-10.10-1.ppm"]
    assert [file.name for file in second.depth] == ["d-11.01-1.pgm", "d-11.04-1.pgm", "d-11.07-1.pgm"]


def test_frames_without_depth_are_left_out_and_said(tmp_path):
    tiny_nyu.raw(tmp_path / "raw", scenes=1, frames=4)
    for file in sorted(tmp_path.rglob("d-*.pgm"))[1:]:
        file.unlink()
    assert len(video(tmp_path / "raw").images) == 3
    assert nyu.Nyu(tmp_path).remarks == ["1 colour frames have no depth within 0.067 s and are left out"]


def test_metres_follow_the_formula_and_its_range():
    raw = np.array([[0, 390, 700, 1000, 1057, 1058, 1092, 1093, 2047]], np.uint16)
    expected = [0, 351.3 / 702.5, 351.3 / 392.5, 351.3 / 92.5, 351.3 / 35.5, 0, 0, 0, 0]
    assert np.allclose(nyu_raw.metres(raw), expected, atol=1e-5)


def test_lenses_are_those_of_opencv():
    rng = np.random.default_rng(0)
    for lens in (nyu_raw.COLOUR, nyu_raw.DEPTH):
        rays, coefficients = rng.uniform(-0.5, 0.5, (2, 50)) * [[1], [0.75]], np.array(lens.distortion)
        points = np.concatenate([rays, np.ones((1, 50))]).T
        theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, coefficients)[0][:, 0].T
        assert np.allclose(lens.pixels(rays), theirs, atol=1e-6)
        assert np.allclose(lens.rays(theirs), rays, atol=1e-5)


@pytest.mark.parametrize("size", [(480, 640), (384, 448)])
def test_depth_falls_where_the_colour_camera_sees_it(size):
    rng = np.random.default_rng(0)
    for row, column, z in zip(rng.integers(60, 420, 8), rng.integers(80, 560, 8), rng.uniform(0.8, 6, 8), strict=True):
        depth = np.zeros((480, 640), np.float32)
        depth[row, column] = z
        image = nyu_raw.registered(depth, resize.plan((480, 640), *size, crop=False))
        lens = nyu_raw.DEPTH
        pixel = np.array([[[column, row]]], float)
        ray = cv2.undistortPoints(pixel, lens.matrix, np.array(lens.distortion)).ravel()
        point = nyu_raw.ROTATION.T @ [*(z * ray), z] - nyu_raw.TRANSLATION
        lens = nyu_raw.COLOUR
        seen = cv2.projectPoints(point, np.zeros(3), np.zeros(3), lens.matrix, np.array(lens.distortion))[0].ravel()
        place = np.floor((seen[::-1] + 0.5) * np.array(size) / (480, 640)).astype(int)
        assert np.argwhere(image).tolist() == [place.tolist()] and abs(image[tuple(place)] - point[2]) < 1e-3


def test_the_cameras_stand_side_by_side():
    """What is near moves further to the left in the colour camera, which stands to the right of the depth camera."""
    columns = []
    for z in (0.6, 6.0):
        depth = np.zeros((480, 640), np.float32)
        depth[240, 320] = z
        columns.append(np.argwhere(nyu_raw.registered(depth, resize.plan((480, 640), 480, 640, False)))[0, 1])
    assert columns[1] - columns[0] == pytest.approx(519 * 0.025 * (1 / 0.6 - 1 / 6), abs=1)


def test_of_two_points_in_a_pixel_the_nearer_counts():
    depth = np.where(np.indices((480, 640)).sum(0) % 2, 3, 1.5).astype(np.float32)
    image = nyu_raw.registered(depth, resize.plan((480, 640), 64, 96, False))
    assert (image[20:40, 20:76] < 1.6).all() and (image[20:40, 20:76] > 0).all()


def test_the_other_byte_order_is_said(dump):
    file = one(dump, "d-*.pgm")
    tiny_nyu.depth(file, np.full((480, 640), 2.0), order=">")
    with pytest.raises(InputError, match=rf"{file.name} has raw depth up to \d+: expected 0 to 2047 .*other order"):
        video(dump)


def test_broken_depth_is_named_before_anything_is_decoded(dump, monkeypatch):
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail("decoded too early"))
    file = one(dump, "d-*.pgm")
    whole = file.read_bytes()
    truncate(file)
    with pytest.raises(InputError, match=rf"{file.name} cannot be read \(it has \d+ bytes, not 614417\)"):
        video(dump)
    for wrong in (whole.replace(b"640 480", b"320 240", 1), whole.replace(b"65535", b"255", 1), b"", b"P5 640"):
        file.write_bytes(wrong)
        with pytest.raises(InputError, match=rf"{file.name} cannot be read \(it starts with"):
            video(dump)


def test_a_scene_without_any_pair_is_named(dump):
    for file in (dump / "basement_0000a").glob("d-*.pgm"):
        file.unlink()
    with pytest.raises(InputError, match="basement_0000a has 3 colour and 0 depth frames, but none within 0.067 s"):
        video(dump)


def test_a_folder_that_is_not_the_dump_says_what_was_found(tmp_path):
    (tmp_path / "holiday" / "1").mkdir(parents=True)
    with pytest.raises(InputError, match="is not the raw dump of NYU-V2, it has no scenes: .*found holiday"):
        nyu_raw.scenes(tmp_path)
