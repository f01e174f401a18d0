"""Starting the fuzzer that looks at the code it reaches: in a process where all of that code is instrumented."""

import importlib.util
import subprocess
import sys

from tests.fuzz.target import Target


def has_atheris() -> bool:
    """Return whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(targets: list[Target], seconds: float) -> int:
    """Run targets in turn for so long together; return 1 if one has found something."""
    command = [sys.executable, "-m", "tests.fuzz.engine", str(seconds), *(target.name for target in targets)]
    with subprocess.Popen(command) as engine:
        try:
            return engine.wait()
        except KeyboardInterrupt:  # it gets the signal too
            engine.wait()
            raise
