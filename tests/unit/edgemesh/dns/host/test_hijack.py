"""When questions to the host's name servers are led to the node, and when no more."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.modules.edgemesh.dns.host import hijack
from edgecore.modules.edgemesh.dns.host.hijack import LOOK_EVERY_S, WITHDRAWN_S, Hijack
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.intercept.rules.interception import NameHijack
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.observe.metrics import Metrics

ADDRESS = "127.0.0.1"  # is there on every machine
OFFICE = NameHijack(("192.0.2.1", "192.0.2.2"), Endpoint(ADDRESS, 53))


class FakeWorld:
    """The server and the rules, and in which order they were used."""

    def __init__(self) -> None:
        self.happened: list[object] = []
        self.addresses: tuple[tuple[str, int], ...] = (("127.0.0.1", 10053),)
        self.is_settled = True
        self.taken = False

    async def start(self) -> None:
        self.happened.append("started")

    async def stop(self) -> None:
        self.happened.append("stopped")

    def status(self):
        return {"listening": ["127.0.0.1:10053"]}

    def leave_unmarked(self) -> None:
        self.happened.append("unmarked")

    async def listen(self, *binds: Bind) -> None:
        self.happened += binds
        self.addresses += tuple((bind.host, bind.port if self.taken else bind.rather) for bind in binds)

    def names(self, wanted: NameHijack | None) -> None:
        self.happened.append(wanted)

    async def settled(self) -> None:
        while not self.is_settled:
            await settle(1)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    return path


@pytest.fixture
def world():
    return FakeWorld()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
async def made(world, file, clock):
    hijacks = []

    def make(*, listens=True, refused=("", ""), address: Callable[[], str] = lambda: ADDRESS):
        one = Hijack(
            world, world, world, file, clock=clock, metrics=Metrics(), address=address, listens=listens, refused=refused
        )
        hijacks.append(one)
        return one

    yield make
    for one in hijacks:
        await one.stop()


async def test_questions_are_led_once_the_server_listens_and_no_more_before_it_stops(world, made):
    one = made()
    await one.start()
    await one.stop()
    bind = Bind(ADDRESS, 10053, next_free=True, rather=53)
    assert world.happened == ["started", bind, OFFICE, None, "stopped"]


async def test_another_port_of_the_interface_does_as_well(world, made):
    world.taken = True
    await made().start()
    assert world.happened[-1] == NameHijack(OFFICE.servers, Endpoint(ADDRESS, 10053))


async def test_an_address_of_the_users_own_is_not_listened_at_twice(world, made):
    world.addresses = (("0.0.0.0", 53),)
    await made(listens=False).start()
    assert world.happened == ["started", OFFICE]


async def test_another_resolv_conf_has_its_servers_led(world, made, file, clock):
    one = made()
    await one.start()
    file.write_text("nameserver 192.0.2.3\n")
    await clock.advance(LOOK_EVERY_S)
    assert world.happened[-1] == NameHijack(("192.0.2.3",), Endpoint(ADDRESS, 53))
    assert one.status()["led"]["servers"] == ["192.0.2.3"]


async def test_the_rules_are_left_alone_while_nothing_changes(world, made, file, clock):
    await made().start()
    before = len(world.happened)
    file.write_text("# somebody was here\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    await clock.advance(10 * LOOK_EVERY_S)
    assert len(world.happened) == before


async def test_a_resolv_conf_that_is_gone_has_nothing_led_until_it_is_back(world, made, file, clock):
    one = made()
    await one.start()
    text = file.read_text()
    file.unlink()
    with capture_logs() as logs:
        await clock.advance(LOOK_EVERY_S)
        assert world.happened[-1] is None
        assert one.status()["led"]["reason"] == "unreadable"
        assert one.status()["led"]["problem"]
        file.write_text(text)
        await clock.advance(LOOK_EVERY_S)
    assert world.happened[-1] == OFFICE
    assert [entry["event"] for entry in logs] == ["names_not_led", "names_led"]


async def test_an_interface_without_its_address_has_nothing_led(world, made, clock):
    addresses = [ADDRESS]
    one = made(address=lambda: addresses[-1])
    await one.start()
    addresses.append("192.0.2.77")
    await clock.advance(LOOK_EVERY_S)
    assert world.happened[-1] is None
    assert one.status()["led"]["reason"] == "no_address"


@pytest.mark.parametrize("word", ["off", "manage_resolv_conf"])
async def test_nobody_wants_it_and_nothing_is_led_but_the_interface_is_listened_at(world, made, word):
    one = made(refused=(word, "by the settings"))
    await one.start()
    assert world.happened == ["unmarked", "started", Bind(ADDRESS, 10053, next_free=True, rather=53)]
    assert (one.status()["led"]["wanted"], one.status()["led"]["problem"]) == (False, "")


async def test_without_the_right_to_mark_nothing_is_led_and_it_is_said_why(world, made):
    one = made(refused=("no_mark", "cannot mark questions: Operation not permitted"))
    with capture_logs() as logs:
        await one.start()
    assert OFFICE not in world.happened
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("names_not_led", "no_mark")]
    assert one.status()["led"]["problem"] == "cannot mark questions: Operation not permitted"


async def test_servers_of_ipv6_are_no_problem_of_the_node(made, file):
    file.write_text("nameserver fd00::53\nnameserver 192.0.2.1\n")
    one = made()
    await one.start()
    told = one.status()["led"]
    assert (told["servers"], told["reason"], told["problem"]) == (["192.0.2.1"], "ipv6_first", "")
    assert told["left"] == [{"server": "fd00::53", "reason": "ipv6"}]


async def test_rules_that_do_not_go_keep_the_server_from_stopping_for_a_while_only(world, made, clock):
    one = made()
    await one.start()
    world.is_settled = False
    stopping = asyncio.create_task(one.stop())
    await settle()
    assert world.happened[-1] is None
    await clock.advance(WITHDRAWN_S)
    await stopping
    assert world.happened[-1] == "stopped"


async def test_an_interface_is_looked_for_among_all_of_this_host():
    assert hijack._is_here("127.0.0.1")
    assert not hijack._is_here("192.0.2.77")


async def test_what_is_led_is_counted(world, file, clock):
    metrics = Metrics()
    one = Hijack(world, world, world, file, clock=clock, metrics=metrics, address=lambda: ADDRESS, listens=True)
    await one.start()
    assert b"edgecore_dns_servers_led 2.0" in metrics.render()
    await one.stop()
    assert b"edgecore_dns_servers_led 0.0" in metrics.render()


async def test_in_another_mode_nothing_is_led_and_our_questions_carry_no_mark(made, world):
    hijack = made(address=lambda: "")
    await hijack.start()
    assert world.happened == ["unmarked", "started"]
    assert hijack.told()["reason"] == "off"
