"""Which tests go into one process where pytest-xdist runs several: those whose nodes would take each other's fake IPs.

A node claims a pool of fake IPs of the machine. Most tests give theirs one that is their process's own (``POOL`` of
``tests/e2e/conftest.py``) or have a network namespace; they go file by file to whichever process is free. A file whose
nodes have the default pools, as those of ``cloudhub_stub.testing`` have, or a fixed one, is named here.

What takes longest begins first, so that no process is left with it at the end: the tests of one process, then those
that wait for programs.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

DEFAULT_POOLS = (
    "tests/e2e/test_burst.py",
    "tests/e2e/test_configuration.py",
    "tests/e2e/test_convergence.py",
    "tests/e2e/test_default_node.py",
    "tests/e2e/test_demo.py",
    "tests/e2e/test_device_wishes.py",
    "tests/e2e/test_devices.py",
    "tests/e2e/test_guide.py",
    "tests/e2e/test_join.py",
    "tests/e2e/test_names.py",
    "tests/e2e/test_python_api.py",
    "tests/e2e/test_readme.py",
    "tests/e2e/test_service_calls.py",
    "tests/e2e/test_tutorial.py",
    "tests/e2e/test_two_nodes.py",
    "tests/integration/cloudhub_stub/testing/",
)
FIXED_POOLS = (
    "tests/integration/edgehub/test_frame_fuzz.py",
    "tests/integration/edgemesh/test_poolclaim.py",
    "tests/integration/edgemesh/test_module.py",
    "tests/integration/edgemesh/test_name_storm.py",
    "tests/integration/recording/test_sights.py",
    "tests/integration/test_lifecycle.py",
)


class OneProcessForPools(LoadScopeScheduling):
    """See the module."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # which puts files with many tests first, however short those are

    def _split_scope(self, nodeid: str) -> str:
        """Return what runs in one process together with the test ``nodeid``."""
        file = _file_of(nodeid)
        if file.startswith(DEFAULT_POOLS):
            return "default pools"
        return "fixed pools" if file.startswith(FIXED_POOLS) else file


def rank(nodeid: str) -> int:
    """Return when the test ``nodeid`` is to begin: the lower the sooner."""
    file = _file_of(nodeid)
    firsts = (DEFAULT_POOLS, FIXED_POOLS, ("tests/e2e/",), ("tests/integration/",))
    return next((place for place, paths in enumerate(firsts) if file.startswith(paths)), len(firsts))


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
