"""The study on a user's own data: what their description says of it, and what is kept of that beside the runs."""

from dataclasses import asdict
from pathlib import Path

from depthseg_lib.data import labels
from depthseg_lib.data.sets import description as descriptions
from depthseg_lib.data.sets import own
from depthseg_lib.files import read_json, write_json
from depthseg_lib.object_sizes import photographed
from depthseg_lib.project import project_path
from depthseg_lib.study.profiles import Fit, Profile, fitted

DATA_SET = "folder"
KEPT = "data.json"
"""The file beside the runs by which they can be read and drawn where the data are not."""


def fitted_profile(profile: Profile, root: Path | None = None) -> Profile:
    """`profile`, with what the user's data say of it; without the data, what is kept in `root`, the runs' folder.

    Other profiles stay as they are, and so does this one where there are neither. Raises `InputError` where the
    description is wrong.
    """
    if profile.data.data_set != DATA_SET:
        return profile
    if profile.data.data_folder:
        return fitted(profile, _fit(_description(profile)))
    if root and (root / KEPT).is_file():
        return fitted(profile, Fit(**read_json(root / KEPT)["fit"]))
    return profile


def remember(profile: Profile, root: Path) -> None:
    """Keep in `root`, the folder of a profile's runs, what reading them needs of the user's data."""
    if profile.data.data_set != DATA_SET or not profile.data.data_folder:
        return
    description = _description(profile)
    content = {"fit": asdict(_fit(description)), "label_set": labels.to_mapping(description.label_set)}
    if not (root / KEPT).is_file() or read_json(root / KEPT) != content:
        write_json(root / KEPT, content)


def label_set(root: Path) -> labels.LabelSet:
    """The classes of the runs in `root`; raises `InputError` where nothing was kept."""
    return labels.from_mapping(read_json(root / KEPT)["label_set"])


def _description(profile: Profile) -> descriptions.Description:
    folder = project_path(profile.data.data_folder)
    own.check(folder)
    return descriptions.read(folder)


def _fit(description: descriptions.Description) -> Fit:
    return Fit(
        description.height,
        description.width,
        description.encoder,
        description.frame_step,
        own.usable(description),
        bool(photographed(description.label_set)),
    )
