"""The profiles by name, and the settings of their runs. `make figures` reruns what a change here touches."""

from dataclasses import dataclass, replace
from difflib import get_close_matches

from depthseg_lib.errors import InputError
from depthseg_lib.models.published import NONE, Published
from depthseg_lib.profiles_embedded import EMBEDDED
from depthseg_lib.profiles_real import REAL
from depthseg_lib.settings import NEEDS_VIDEO, TRAINED_HERE, FinetuneConfig, PretrainConfig
from depthseg_lib.study.profile import Part, Profile

PROFILES = {profile.name: profile for profile in (*EMBEDDED, *REAL)}
"""The profiles by name."""


@dataclass(frozen=True)
class Fit:
    """What a user's own data say about the study on them."""

    height: int
    """Image height."""
    width: int
    """Image width."""
    encoder: str
    """The encoder; all but resnet18-slim take the iterations, rates and trials of the profile `gpu`."""
    frame_step: int
    """Frames between the neighbours of a triplet."""
    usable: int
    """The largest training set that leaves images to validate on."""
    compares_sizes: bool = True
    """As in `Profile`."""


def fitted(profile: Profile, fit: Fit) -> Profile:
    """`profile` on data of this kind: no training set is larger than they allow, and there is one at least."""
    sizes = tuple(size for size in profile.sizes if size <= fit.usable) or (fit.usable,)
    usual = max((size for size in sizes if size <= profile.images), default=sizes[0])
    data = replace(profile.data, height=fit.height, width=fit.width)
    profile = replace(profile, data=data, sizes=sizes, images=usual)
    if fit.encoder not in profile.encoders:
        gpu = PROFILES["gpu"]
        kept = {key: value for key, value in profile.classification.items() if key == "photographs_folder"}
        trained = dict(classification=gpu.classification | kept, depth=gpu.depth, finetune=gpu.finetune)
        profile = replace(profile, encoders=(fit.encoder,), trials=gpu.trials, **trained)
    depth = profile.depth | dict(frame_step=fit.frame_step)
    return replace(profile, depth=depth, compares_sizes=fit.compares_sizes)


def get_profile(name: str, data_folder: str = "", published: Published = NONE, photographs: str = "") -> Profile:
    """The profile of this name on `data_folder`, which compares what is `published` besides.

    With `photographs`, classification is pre-trained on that folder's photographs.
    """
    if name not in PROFILES:
        close = get_close_matches(name, PROFILES, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(f"unknown profile '{name}': expected one of {', '.join(PROFILES)}{hint}")
    profile = PROFILES[name]
    if data_folder and profile.data.data_set == "streets":
        raise InputError(
            f"the profile '{name}' runs on the embedded world and reads no DATA, but DATA={data_folder} was given: "
            "drop it, or name a profile for real images, such as PROFILE=camvid"
        )
    if photographs:
        profile = replace(profile, classification=profile.classification | _photographs(profile, photographs))
    added = (n for n in published.initialisations if n in published.places or n not in profile.not_trained)
    initialisations = tuple(dict.fromkeys((*profile.initialisations, *added)))
    data = replace(profile.data, data_folder=data_folder)
    parts = tuple(_with_published(part, initialisations) for part in profile.parts)
    return replace(profile, initialisations=initialisations, data=data, parts=parts)


def _with_published(part: Part, initialisations: tuple[str, ...]) -> Part:
    """A part with those of its further initialisations that the study has.

    Depth at the large size is trained here even where it is given at the usual one, so it needs what it starts from.
    """
    known, large = ("none", *initialisations), part.pretrained_large
    added = (n for n in part.imagenet if n in known and (not large or TRAINED_HERE.get(n, "none") in known))
    return replace(part, initialisations=(*part.initialisations, *added))


def _photographs(profile: Profile, folder: str) -> dict:
    """The settings of `PretrainConfig` by which classification is pre-trained on a folder of photographs."""
    if profile.data.data_set == "streets" or not profile.classification:
        lacks = "runs on the embedded world" if profile.classification else "pre-trains no classification"
        raise InputError(
            f"the profile '{profile.name}' {lacks} and reads no PHOTOGRAPHS, but PHOTOGRAPHS={folder} was given: drop "
            "it, or name a profile for real images that does, such as PROFILE=camvid"
        )
    return {"photographs_folder": folder}


def parts(profile: Profile) -> tuple[Part, ...]:
    """All fine-tuning runs: every setting at the usual number of images, `full` at the others, and the rest."""
    usual = Part(profile.settings, profile.initialisations, profile.images)
    sizes = (size for size in profile.sizes if size != profile.images)
    others = (Part(("full",), profile.initialisations, size, finetune=profile.other_sizes) for size in sizes)
    return (usual, *others, *profile.parts)


def pretrain_config(
    profile: Profile, encoder: str, initialisation: str, large: bool = False, start_weights: str = ""
) -> PretrainConfig:
    """The settings of one pre-training run of a profile, at its image size or at the large one."""
    other = {"classification": profile.classification, "depth-supervised": profile.supervised, "flow": profile.flow}
    chosen = {**other.get(initialisation, profile.depth), **(profile.depth_large if large else {})}
    if initialisation in NEEDS_VIDEO and TRAINED_HERE[initialisation] != "none":
        chosen |= profile.depth_started
    names = dict(encoder=encoder, initialisation=initialisation, start_weights=start_weights)
    return PretrainConfig(**_data(profile, large), **chosen, **names)


def finetune_config(profile: Profile, part: Part, **run) -> FinetuneConfig:
    """The settings of one fine-tuning run of a part of a profile."""
    own = {**profile.finetune, **profile.finetune_of.get(run.get("encoder", ""), {})}
    chosen = {**own, **part.finetune, "experiment": part.experiment, "images": part.images}
    return FinetuneConfig(**_data(profile, part.large), **chosen, **run)


def _data(profile: Profile, large: bool) -> dict:
    return profile.data.to_mapping() | (profile.large if large else {})
