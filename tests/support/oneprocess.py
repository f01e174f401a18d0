"""Which tests go into one process where pytest-xdist runs several: what starts nodes goes one after the other.

Nodes claim the machine's pools of fake IPs, and keep theirs over restarts. A test that has network namespaces of its
own disturbs nobody; nor does one without a whole node. These go file by file to whichever process is free.
"""

from xdist.scheduler import LoadScopeScheduling

MACHINE = "machine"

_WITH_NODES = ("tests/e2e/", "tests/integration/")
_WITHOUT_NODES = tuple(f"tests/integration/edgemesh/{folder}/" for folder in ("dns", "proxy", "upstream"))
_IN_NAMESPACES = ("tests/e2e/test_intercept", "tests/e2e/test_lab", "tests/integration/edgemesh/intercept/rules/")


class OneProcessForNodes(LoadScopeScheduling):
    """See the module."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what runs in one process together with the test ``nodeid``."""
        file = nodeid.partition("::")[0]
        starts_nodes = file.startswith(_WITH_NODES) and not file.startswith((*_WITHOUT_NODES, *_IN_NAMESPACES))
        return MACHINE if starts_nodes else file
