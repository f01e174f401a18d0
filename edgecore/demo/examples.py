"""Where the examples that the demonstration plays are: in a clone, or where the wheel has put them."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from edgecore.errors import ConfigError

_CLONE = Path(__file__).parents[2] / "examples"
_MARK = "share/edgecore/examples/recordings/b2_deletes.jsonl"
"""One file of the wheel (``data-files`` in pyproject.toml) by which the folder is found, wherever pip puts it."""


def examples_folder(clone: Path = _CLONE) -> Path:
    """Return the folder. Raises ``ConfigError``."""
    if (clone / "recordings").is_dir():
        return clone
    try:
        installed = files("edgecore") or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.as_posix().endswith(_MARK):
            return Path(str(file.locate())).resolve().parents[1]
    raise ConfigError(
        "cannot find the examples: they are neither beside the program nor installed with it; "
        "install it by pip, or run it in a clone of the project"
    )
