"""The news of the link: once for each change, in order, to every module; to one that comes later too."""

import pytest
from structlog.testing import capture_logs

from edgecore.beehive import resource as r
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.edgehub.news import CONNECTION_GROUPS, ConnectionNews

MODULES = {
    "metaManager": r.GROUP_META,
    "edgemesh": r.GROUP_MESH,
    "edged": r.GROUP_EDGED,
    "twin": r.GROUP_TWIN,
    "eventbus": r.GROUP_BUS,
    "servicebus": r.GROUP_BUS,
}
ROUTE = Route("twin", "edged", "update", "default/pod/p")
UP, DOWN = r.CLOUD_CONNECTED, r.CLOUD_DISCONNECTED


@pytest.fixture
async def bus(vclock: VirtualClock, ids: NewId) -> Bus:
    return Bus(vclock, ids, capacity=8, send_timeout_s=30)


@pytest.fixture
async def news(bus: Bus) -> ConnectionNews:
    return ConnectionNews(bus.register(r.EDGEHUB, r.GROUP_HUB))


@pytest.fixture
async def ports(bus: Bus) -> dict[str, Port]:
    return {name: bus.register(name, group) for name, group in MODULES.items()}


async def heard(port: Port) -> list[str]:
    return [(await port.receive()).content for _ in range(port.statistics().depth)]


async def test_every_module_hears_of_each_change_once_and_in_order(
    news: ConnectionNews, ports: dict[str, Port]
) -> None:
    for change in (DOWN, UP, UP, DOWN, DOWN, UP):
        news.tell(change)

    for name, port in ports.items():
        assert await heard(port) == [UP, DOWN, UP], name


async def test_each_group_is_told_in_its_own_name(news: ConnectionNews, ports: dict[str, Port]) -> None:
    news.tell(UP)

    for name, port in ports.items():
        route = (await port.receive()).route
        assert route == Route("edgehub", MODULES[name], "publish", "node/connection")
    assert CONNECTION_GROUPS[0] == r.GROUP_META


async def test_module_that_joins_while_the_link_is_up_hears_so_and_the_others_of_its_group_do_not_again(
    bus: Bus, news: ConnectionNews, ports: dict[str, Port]
) -> None:
    bus.withdraw("servicebus")
    news.tell(UP)
    bus.readmit("servicebus")

    news.welcome("servicebus", r.GROUP_BUS)

    assert await heard(ports["servicebus"]) == [UP]
    assert await heard(ports["eventbus"]) == [UP]


@pytest.mark.parametrize("before", [(), (UP, DOWN)])
async def test_module_that_joins_while_the_link_is_down_hears_of_the_next_change_alone(
    bus: Bus, news: ConnectionNews, ports: dict[str, Port], before: tuple[str, ...]
) -> None:
    bus.withdraw("twin")
    for change in before:
        news.tell(change)
    bus.readmit("twin")

    news.welcome("twin", r.GROUP_TWIN)
    news.tell(UP)

    assert await heard(ports["twin"]) == [UP]


async def test_module_of_no_group_that_is_told_is_not_welcomed(news: ConnectionNews, ports: dict[str, Port]) -> None:
    news.tell(UP)
    news.welcome(r.EDGEHUB, r.GROUP_HUB)


async def test_module_without_room_holds_up_nobody_and_hears_when_it_has_some(
    news: ConnectionNews, ports: dict[str, Port]
) -> None:
    await fill(ports)
    news.tell(UP)

    assert await heard(ports["servicebus"]) == [UP]
    assert await heard(ports["edged"]) == [*range(8)]
    await settle()
    news.tell(DOWN)
    news.tell(UP)
    assert await heard(ports["servicebus"]) == [DOWN, UP]
    assert await heard(ports["edged"]) == [UP, DOWN, UP]


async def test_module_that_has_no_room_for_long_is_a_line_in_the_log_each_time(
    news: ConnectionNews, ports: dict[str, Port], vclock: VirtualClock
) -> None:
    await fill(ports)
    news.tell(UP)
    with capture_logs() as logs:
        await vclock.advance(61)

    lines = [(entry["event"], entry["module"]) for entry in logs if entry["event"] == "news_not_delivered"]
    assert lines == [("news_not_delivered", "edged")] * 2
    await heard(ports["edged"])
    await settle()
    assert await heard(ports["edged"]) == [UP]


@pytest.mark.parametrize(("changes", "hears"), [((UP, DOWN), [UP, DOWN]), ((UP, DOWN, UP), [UP])])
async def test_module_without_room_hears_in_the_end_how_the_link_is(
    news: ConnectionNews, ports: dict[str, Port], changes: tuple[str, ...], hears: list[str]
) -> None:
    await fill(ports)
    for change in changes:
        news.tell(change)
        await settle()
    await heard(ports["edged"])
    await settle()

    assert await heard(ports["edged"]) == hears


async def test_module_that_is_withdrawn_before_it_had_room_is_told_when_it_is_back(
    bus: Bus, news: ConnectionNews, ports: dict[str, Port]
) -> None:
    await fill(ports)
    news.tell(UP)
    await settle()
    bus.withdraw("edged")
    await settle()
    bus.readmit("edged")
    news.welcome("edged", r.GROUP_EDGED)
    await settle()

    assert await heard(ports["edged"]) == [*range(8)]
    await settle()
    assert await heard(ports["edged"]) == [UP]


async def test_the_end_of_the_bus_ends_the_wait_for_room(
    bus: Bus, news: ConnectionNews, ports: dict[str, Port]
) -> None:
    await fill(ports)
    news.tell(UP)
    await settle()
    bus.close()
    await settle()

    assert not news._late
    news.tell(DOWN)


async def fill(ports: dict[str, Port]) -> None:
    """Leave edged no room."""
    for number in range(8):
        await ports["twin"].send("edged", ports["twin"].build(ROUTE, number))
