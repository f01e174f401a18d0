"""What the ConfigMaps and Secrets of a pod hold, as its containers ask for it (pure)."""

from collections.abc import Mapping
from typing import NamedTuple

from edgecore.beehive.resource import CONFIGMAP, SECRET
from edgecore.modules.edged.runtime import Values

WORDS = {CONFIGMAP: "configmap", SECRET: "secret"}
TITLES = {CONFIGMAP: "ConfigMap", SECRET: "Secret"}
"""How the kubelet calls them in its texts."""


class Objects(NamedTuple):
    """All that one pod uses, which is of its namespace; what is not there is left out."""

    namespace: str
    found: Mapping[tuple[str, str], Values]
    """By kind and name."""

    def data(self, kind: str, name: str) -> Values | None:
        """Return what an object holds; ``None`` where there is none."""
        return self.found.get((kind, name))
