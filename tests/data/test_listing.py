"""Files as they were: what changes is noticed, and named."""

import os

import pytest

from depthseg_lib.data.listing import listing
from depthseg_lib.errors import InputError


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        path.write_text("pixels")
    return paths


def test_the_digest_follows_names_sizes_and_times(files):
    digests = {listing(files).digest, listing(files[:2]).digest, listing(files[::-1]).digest}
    os.utime(files[0], ns=(1, 1))
    digests.add(listing(files).digest)
    files[0].write_text("other pixels")
    os.utime(files[0], ns=(1, 1))
    digests.add(listing(files).digest)
    assert len(digests) == 5 and listing([str(file) for file in files]).digest in digests


@pytest.mark.parametrize("change", [lambda f: os.utime(f, ns=(1, 1)), lambda f: f.write_text("x")])
def test_a_file_that_changed_is_named(files, change):
    before = listing(files)
    before.require_unchanged()
    change(files[1])
    with pytest.raises(InputError, match=r"b\.png changed while it was read \(1 of 3 files did\)"):
        before.require_unchanged()


def test_a_file_that_is_gone_is_named(files):
    before = listing(files)
    files[2].unlink()
    for look in (before.require_unchanged, lambda: listing(files)):
        with pytest.raises(InputError, match=r"c\.png cannot be read \(No such file"):
            look()
