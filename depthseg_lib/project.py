"""Where the project's folders are, whichever folder Jupyter was started from."""

from pathlib import Path

from depthseg_lib.errors import InputError


def project_path(path: str | Path) -> Path:
    """Relative paths count from the project's root, wherever Jupyter was started; absolute ones stay as they are."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else project_root() / path


def project_root() -> Path:
    """The project's folder: the first upwards of here, or of this library, with both notebooks and library in it."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "notebooks").is_dir() and (folder / "depthseg_lib").is_dir():
            return folder
    raise InputError(f"{here} is not inside the project: start Jupyter from the project's folder, or with `make lab`")
