"""Where programs are: in PATH, and in the folders of programs for root, which users may not have there."""

import os


def search_path() -> str:
    """Return the folders, as PATH has them."""
    return os.pathsep.join(filter(None, (os.environ.get("PATH"), "/usr/sbin", "/sbin")))


def find_program(name: str) -> str | None:
    """Return the path of the program, or of what has a slash, as it is; ``None`` if there is none that may be run.

    ``shutil.which`` would do, were it not in a module that takes long to load.
    """
    if "/" in name:
        return name
    candidates = (
        (f"{folder or '.'}/{name}" for folder in search_path().split(os.pathsep)) if name and "\0" not in name else ()
    )
    return next((path for path in candidates if os.access(path, os.X_OK)), None)
