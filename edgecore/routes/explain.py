"""What commands can ask a running node about the way from a name to a backend: ``edgecore explain``."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Protocol

from edgecore.addresses import join_address
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ContentError, StoreError
from edgecore.modules.edgemesh.explain.asked import host_header, parse
from edgecore.modules.edgemesh.explain.explain import explain
from edgecore.modules.edgemesh.explain.sight import Cloud, Node, Sight

Json = dict[str, Any]


class Names(Protocol):
    """The part of ``HandQuery`` that answers."""

    async def ask(self, name: str, type_text: str = "") -> Json:
        """Return the answer, and why it is that. Raises ``ContentError``."""


class Server(Protocol):
    """The part of ``DnsServer`` that says where it listens."""

    @property
    def addresses(self) -> Iterable[tuple[str, int]]:
        """Addresses and ports."""


class Mesh(Protocol):
    """The part of ``EdgeMesh`` that lets itself be looked at."""

    def sight(self) -> Sight:
        """Return what there is to explain from, as it is now."""


class Link(Protocol):
    """The part of ``EdgeHub`` that says how the link is."""

    def status(self) -> Json:
        """Return the state of the link."""


class Explainer:
    """Asks DNS, looks at the mesh, and has both explained. ``link`` of ``None``: there is no link to a cloud."""

    def __init__(self, names: Names, server: Server, mesh: Mesh, node: Node, link: Link | None) -> None:
        self._names = names
        self._server = server
        self._mesh = mesh
        self._node = node
        self._link = link

    async def explain(self, query: Mapping[str, str]) -> Json:
        """Return the explanation of ``what``, as JSON values. Raises ``ContentError`` for what cannot be asked."""
        asked, host = parse(query.get("what", ""), query.get("namespace", "")), query.get("host", "")
        if host:
            host_header(host)
        told = None if asked.is_address else await self._names.ask(asked.host)
        listening = tuple(join_address(*address) for address in self._server.addresses)
        node = self._node._replace(cloud=_cloud(self._link), dns=listening, origins=cache(self._origin))
        return explain(asked, told, self._mesh.sight(), node, host=host).document()

    def _origin(self, key: str) -> Json | None:
        """Return what is behind a row; a database that cannot be read says nothing, and is told in the status."""
        try:
            return self._node.origins(key)
        except StoreError:
            return None


def explain_routes(explainer: Explainer | None) -> Routes:
    """Return the routes; ``None``: there is no EdgeMesh.

    | route | answer |
    | --- | --- |
    | ``GET /v1/explain?what=&namespace=&host=`` | ``Explanation.document`` |
    """

    async def show(request: ControlRequest) -> Json:
        if explainer is None:
            raise ControlRefused(409, "cannot explain: modules.edgeMesh.enable is false in this node")
        try:
            return await explainer.explain(request.query)
        except ContentError as error:
            raise ControlRefused(400, str(error)) from None

    return {("GET", "/v1/explain"): show}


def _cloud(link: Link | None) -> Cloud:
    if link is None:
        return Cloud()
    status = link.status()
    return Cloud(status["state"], status["away_s"], status["error"], status["url"], status["sessions"])
