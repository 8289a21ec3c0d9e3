"""NYU-V2's labelled set: read lazily from HDF5, shared out by splits.mat, its 894 classes mapped to 13."""

import h5py
import numpy as np
import pytest
from helpers import tiny_nyu
from helpers.real_data import real_set
from helpers.tiny import truncate
from scipy.io import loadmat, savemat

from depthseg_lib.data.labels import NYU13, NYU_40_TO_13, VOID
from depthseg_lib.data.sets import nyu
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
