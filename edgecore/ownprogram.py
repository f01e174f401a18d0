"""How a program of ours is started beside this process: by the same Python, finding the code where this one did.

Not where its directory is (``-P``): that may be anybody's.
"""

import os
import sys


def command_of(module: str, *words: str) -> list[str]:
    """Return the command that runs ``module``."""
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """Return the variables of this process, and in ``PYTHONPATH`` the places that it finds code in."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
