"""The programs of others that a benchmark needs, or puts ours beside."""

import os
import shutil
from collections.abc import Mapping

from rows.figures import missing

SYSTEM = "/usr/sbin"
"""Where Debian has servers; not in the path of ordinary users."""
ALL = "all of it"


def lacking(tools: Mapping[str, str], peers: Mapping[str, str] | None = None) -> set[str]:
    """Return those of ``tools`` (a program, and its Debian package) that are not installed, and tell what is left out.

    ``peers``: what is left out without one of them, where that is not all.
    """
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if SYSTEM not in paths:
        os.environ["PATH"] = os.pathsep.join([*paths, SYSTEM])
    absent = {program for program in tools if shutil.which(program) is None}
    for program in sorted(absent):
        missing(tools[program], (peers or {}).get(program, ALL), program)
    return absent
