"""Published weights that a study starts from instead of training them: where the front door was told that they are."""

from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from depthseg_lib.errors import InputError

MONODEPTH2 = {
    "depth": {"resnet18": "mono_no_pt_640x192", "resnet50": "mono_resnet50_no_pt_640x192"},
    "depth-imagenet": {"resnet18": "mono_640x192", "resnet50": "mono_resnet50_640x192"},
}
"""The folders of Monodepth2's checkpoints as its zip files unpack, by initialisation and encoder."""
MONODEPTH2_DEPTH = ("encoder.pth", "depth.pth")
"""The files in each of them that hold the depth network."""
ENCODERS = {
    "imagenet": ("resnet18", "resnet50"),
    "moco-v2": ("resnet50",),
    "dino": ("resnet50",),
    **{name: tuple(folders) for name, folders in MONODEPTH2.items()},
}
"""Initialisations of which there are published weights, and the encoders that these are of."""


@dataclass(frozen=True)
class Published:
    """The published weights that a study uses."""

    places: dict[str, str] = field(default_factory=dict)
    """File or folder by initialisation; `download` for torchvision's ImageNet weights."""

    @classmethod
    def given(cls, imagenet: str = "", monodepth2: str = "", weights: str = "") -> Self:
        """From the front door's IMAGENET (file, folder or `download`), MONODEPTH2 (folder) and WEIGHTS.

        WEIGHTS is a text such as `moco-v2=FILE,dino=FILE` and goes before the others. Raises `InputError` where that
        is of another form, and where MONODEPTH2 is one checkpoint itself, which could be either initialisation.
        """
        if monodepth2 and depth_files(Path(monodepth2).expanduser()):
            folders = ", ".join(folder for names in MONODEPTH2.values() for folder in names.values())
            raise InputError(
                f"MONODEPTH2={monodepth2} is one checkpoint: expected the folder above, with {folders}; "
                f"or say what this one is, such as WEIGHTS=depth={monodepth2}"
            )
        places = {"imagenet": imagenet, **dict.fromkeys(MONODEPTH2, monodepth2)}
        for part in filter(str.strip, weights.split(",")):
            name, _, place = map(str.strip, part.partition("="))
            if name not in ENCODERS or not place:
                expected = f"expected name=file, several with commas between, of {', '.join(ENCODERS)}"
                raise InputError(f"WEIGHTS={weights}: {expected}")
            places[name] = place
        given = {name: places[name] for name in ENCODERS if places.get(name)}
        return cls({n: p if p == "download" else str(Path(p).expanduser().absolute()) for n, p in given.items()})

    @property
    def initialisations(self) -> tuple[str, ...]:
        """The initialisations that a profile compares besides its own."""
        based = ("depth-imagenet",) if "imagenet" in self.places else ()  # trained here, if it is not given too
        return tuple(dict.fromkeys((*self.places, *based)))

    def gives(self, encoder: str, initialisation: str) -> bool:
        """Whether these are where `encoder` has `initialisation` from."""
        return initialisation in self.places and encoder in ENCODERS[initialisation]

    def place(self, encoder: str, initialisation: str) -> str:
        """The file or the folder of the checkpoint that has them."""
        place = Path(self.places[initialisation])
        if initialisation not in MONODEPTH2 or depth_files(place):
            return self.places[initialisation]
        return str(place / MONODEPTH2[initialisation][encoder])

    def wanted(self, encoders: Iterable[str]) -> list[tuple[str, str, str]]:
        """Encoder, initialisation and place of all that a study with these encoders reads.

        Raises `InputError` for weights that none of the encoders can use.
        """
        for name in self.places:
            if not set(encoders) & set(ENCODERS[name]):
                raise InputError(
                    f"weights for '{name}' were given, but they are of {' and '.join(ENCODERS[name])}, and the profile "
                    f"has {' and '.join(encoders)}: drop them, or name another profile"
                )
        return [(e, name, self.place(e, name)) for e in encoders for name in self.places if self.gives(e, name)]


NONE = Published()
"""No published weights: everything is trained here."""


def add_options(parser: ArgumentParser) -> None:
    """Give a command line the options of `Published.given`."""
    add = parser.add_argument
    add("--imagenet", default="", help="folder of torchvision's ImageNet weights, a file, or 'download'")
    add("--monodepth2", default="", help="folder of Monodepth2's checkpoints, a folder each")
    add("--weights", default="", help="other published weights, such as moco-v2=FILE,dino=FILE")


def depth_files(folder: Path) -> list[Path]:
    """The files of a checkpoint's depth network, those that are there."""
    return [folder / name for name in MONODEPTH2_DEPTH if (folder / name).is_file()]
