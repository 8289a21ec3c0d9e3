"""NYU-V2's raw dump: pairs by time, depth in metres, and depth brought into the colour image."""

import cv2
import numpy as np
import pytest
from helpers import tiny_nyu
from helpers.tiny import truncate

from depthseg_lib.data import resize
from depthseg_lib.data.sets import nyu_raw
from depthseg_lib.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    tiny_nyu.raw(tmp_path / "raw", scenes=2, frames=3)
    return tmp_path / "raw"


def video(root, progress=None):
    return nyu_raw.video(nyu_raw.scenes(root), 96, 128, progress)


def one(root, pattern):
    return sorted(root.rglob(pattern))[1]


def test_scenes_are_sequences_with_depth(root):
    found = video(root)
    assert found.sequence.tolist() == [0, 0, 0, 1, 1, 1] and found.images.shape == (6, 3, 96, 128)
    assert found.depth.shape == (6, 96, 128) and found.depth.dtype == np.float16
    assert (found.depth > 0).mean() > 0.75  # the colour camera sees more than the depth camera
    middle = found.depth[:3, 48, 64].astype(float)
    assert np.allclose(np.diff(middle), 0.1, atol=0.02) and abs(middle[0] - 2.75) < 0.1
    fx, cx = nyu_raw.COLOUR.focal[0], nyu_raw.COLOUR.centre[0]
    assert np.allclose(found.intrinsics[0, 0], [fx / 5, 0, (cx + 0.5) / 5 - 0.5])


def test_scenes_in_folders_of_room_types_are_found(root):
    (root / "basements").mkdir()
    (root / "basement_0001a").rename(root / "basements" / "basement_0001a")
    assert [scene.colour[0].parent.name for scene in nyu_raw.scenes(root)] == ["basement_0000a", "basement_0001a"]


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


def test_frames_without_depth_are_left_out_and_said(tmp_path):
    tiny_nyu.raw(tmp_path, scenes=1, frames=4)
    for file in sorted(tmp_path.rglob("d-*.pgm"))[1:]:
        file.unlink()
    lines = []
    found = video(tmp_path, lines.append)
    assert len(found.images) == 3 and lines[0].startswith("1 colour frames have no depth within 0.067 s")


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


def test_the_other_byte_order_is_said(root):
    file = one(root, "d-*.pgm")
    tiny_nyu.depth(file, np.full((480, 640), 2.0), order=">")
    with pytest.raises(InputError, match=rf"{file.name} has raw depth up to \d+: expected 0 to 2047 .*other order"):
        video(root)


def test_broken_depth_is_named_before_anything_is_decoded(root, monkeypatch):
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail("decoded too early"))
    file = one(root, "d-*.pgm")
    whole = file.read_bytes()
    truncate(file)
    with pytest.raises(InputError, match=rf"{file.name} cannot be read \(it has \d+ bytes, not 614417\)"):
        video(root)
    for wrong in (whole.replace(b"640 480", b"320 240", 1), whole.replace(b"65535", b"255", 1), b"", b"P5 640"):
        file.write_bytes(wrong)
        with pytest.raises(InputError, match=rf"{file.name} cannot be read \(it starts with"):
            video(root)


def test_a_scene_without_any_pair_is_named(root):
    for file in (root / "basement_0000a").glob("d-*.pgm"):
        file.unlink()
    with pytest.raises(InputError, match="basement_0000a has 3 colour and 0 depth frames, but none within 0.067 s"):
        video(root)


def test_a_folder_that_is_not_the_dump_says_what_was_found(tmp_path):
    (tmp_path / "holiday" / "1").mkdir(parents=True)
    with pytest.raises(InputError, match="is not the raw dump of NYU-V2, it has no scenes: .*found holiday"):
        nyu_raw.scenes(tmp_path)
