from collections.abc import Iterable
from typing import Any

import pytest

from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.errors import StoreError
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.routes.explain import Explainer, explain_routes
from tests.support.upstreams import fresh_table

TABLE = fresh_table()


class FakeNames:
    """Knows no name."""

    async def ask(self, name: str, type_text: str = "") -> dict[str, Any]:
        service = {"namespace": "default", "name": "web"}
        answer = {"status": "NXDOMAIN", "rule": "no_such_service", "why": "there is none", "service": service}
        return {"name": name, **answer}


class FakeServer:
    """Listens at one address."""

    addresses: Iterable[tuple[str, int]] = (("127.0.0.1", 10053),)


class FakeMesh:
    """Has no services."""

    def sight(self) -> Sight:
        return Sight(TABLE, {}, None, 0.0, pool="127.251.0.0/16")


class FakeLink:
    """Is away."""

    def status(self) -> dict[str, Any]:
        return {"state": "waiting", "away_s": 61.0, "error": "refused", "url": "ws://cloud", "sessions": 1}


def unreadable(key: str) -> dict[str, Any] | None:
    raise StoreError(f"cannot read {key}: the disk is gone")


async def ask(link: FakeLink | None = None, **query: str) -> Any:
    node = Node(ServiceDirectory(TABLE, "cluster.local"), unreadable)
    explainer = Explainer(FakeNames(), FakeServer(), FakeMesh(), node, link)
    return await explain_routes(explainer)["GET", "/v1/explain"](ControlRequest(query, None))


async def test_a_name_is_asked_of_dns_and_explained() -> None:
    told = await ask(FakeLink(), what="web.default")
    assert (told["asked"], told["works"], told["verdicts"][0]["word"]) == ("web.default", False, "no_such_name")
    assert next(step["fact"] for step in told["steps"] if step["step"] == "cloud") == "away for 1 min 1 s"


async def test_an_address_is_explained_without_dns() -> None:
    told = await ask(what="127.0.0.1:10053")
    assert (told["works"], told["verdicts"][0]["word"]) == (True, "dns")
    assert "this node has no link to a cloud" in [step["fact"] for step in told["steps"]]


async def test_what_can_be_neither_is_refused() -> None:
    with pytest.raises(ControlRefused, match="cannot explain 'a b'"):
        await ask(what="a b")


async def test_without_edgemesh_nothing_is_explained() -> None:
    with pytest.raises(ControlRefused, match="cannot explain"):
        await explain_routes(None)["GET", "/v1/explain"](ControlRequest({"what": "web"}, None))
