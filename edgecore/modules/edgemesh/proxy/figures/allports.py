"""What all processes have counted at the ports: read and added up for one port when that is asked for.

A node may have very many ports, and whoever asks wants few of them: one service, or those that have series.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures, has_traffic, merge, read
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.upstream.spec import PortKey
from edgecore.modules.edgemesh.upstream.upstream import Upstream


class AllPorts(Mapping[PortKey, PortFigures]):
    """The ports of ``upstreams``; to what was counted there that of the ``others`` is added."""

    def __init__(self, upstreams: Iterable[Upstream], others: Sequence[ProxyFigures]) -> None:
        self._upstreams = {upstream.spec.key: upstream for upstream in upstreams}
        self._others = others

    def __getitem__(self, key: PortKey) -> PortFigures:
        figures = read(self._upstreams[key])
        for other in self._others:
            told = other.ports.get(key)
            if told is not None:
                figures = merge(figures, told)
        return figures

    def __iter__(self) -> Iterator[PortKey]:
        return iter(self._upstreams)

    def __len__(self) -> int:
        return len(self._upstreams)

    def with_traffic(self) -> Iterator[PortKey]:
        """Yield those at which there is anything to tell, in any process."""
        tables = [other.ports for other in self._others]
        for key, upstream in self._upstreams.items():
            if has_traffic(upstream) or any(key in table for table in tables):
                yield key
