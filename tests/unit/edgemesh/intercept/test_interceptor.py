"""Interception from start to stop, with a keeper that remembers what it was told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.errors import InterceptError, ListenError
from edgecore.modules.edgemesh.intercept import hold
from edgecore.modules.edgemesh.intercept.hold import BETWEEN_TRIES_S, TRIES
from edgecore.modules.edgemesh.intercept.interceptor import RESTART_S, Interceptor
from edgecore.modules.edgemesh.intercept.keeper.protocol import Command, Nft, Step, Tool, Will
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Target
from edgecore.modules.edgemesh.intercept.script import ALIAS
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.names import Endpoint

HERE = Endpoint("169.254.96.16", 40001)
SPOT = Spot("9.251.0.1", 80, "tcp")
FALLBACK = {"type": "unreachable", "dst": "9.251.0.0/16", "protocol": "251", "metric": 65000}
LIVE = {
    "type": "unicast",
    "dst": "9.251.0.0/16",
    "dev": "docker0",
    "protocol": "251",
    "prefsrc": "169.254.96.16",
}


class FakeKernel:
    """What all keepers of a test share: interfaces, and the routes and tables that are there when somebody looks."""

    def __init__(self) -> None:
        self.interfaces = ["lo", "docker0"]
        self.routes: list[Any] = []
        self.addresses: list[Any] = []
        self.more_addresses: list[Any] = []
        self.tables: list[str] = []
        self.refuses: Callable[[str], bool] = lambda _: False
        self.keepers: list[FakeKeeper] = []
        self.in_use = False
        self.free = asyncio.Event()
        """While it is not set, nothing is answered."""
        self.free.set()
        self.made = ""
        self.gone_at_succession = ""

    def link(self, on_end: Callable[[object], object]) -> "FakeKeeper":
        self.keepers.append(FakeKeeper(self, 100 + len(self.keepers), on_end))
        return self.keepers[-1]


class FakeKeeper:
    def __init__(self, kernel: FakeKernel, pid: int, on_end: Callable[[object], object]) -> None:
        self.pid = pid
        self.nft: Tool = "library"
        self.is_alive = True
        self.holds_tables = True
        self.asked: list[str] = []
        self.wills: list[Will] = []
        self.byes: list[bool] = []
        self._kernel = kernel
        self._on_end = on_end

    async def start(self) -> None: ...

    async def ask(self, *steps: Step) -> str:
        output = ""
        for step in steps:
            text = spelled(step)
            self.asked.append(text)
            await self._kernel.free.wait()
            if not self.is_alive:
                raise InterceptError("keeper_gone", "gone")
            if self._kernel.refuses(text):
                raise InterceptError("refused", text)
            output = self._answer(text)
        return output

    def _answer(self, text: str) -> str:
        if text.startswith("ip -json link show"):
            ours = self._kernel.made
            return json.dumps(
                [{"ifname": name, "ifalias": ALIAS if name == ours else ""} for name in self._kernel.interfaces]
            )
        if text.startswith("ip -details -json route"):
            return json.dumps(self._kernel.routes)
        if text == "ip -json address show":
            return json.dumps(self._kernel.addresses)
        if " address show " in text:
            there = [{"family": "inet", "local": "169.254.96.16"}, *self._kernel.more_addresses]
            return json.dumps([{"ifname": "docker0", "flags": ["UP"], "addr_info": there}])
        if text.startswith("list tables"):
            return "".join(f"table ip {name}\n" for name in self._kernel.tables)
        return ""

    async def take_over(self, subnet: str) -> bool:
        self.asked.append(f"take over {subnet}")
        if self._kernel.in_use:
            raise InterceptError("in_use", "another node")
        self._kernel.interfaces = [name for name in self._kernel.interfaces if name != self._kernel.gone_at_succession]
        return False

    def will(self, will: Will) -> None:
        self.wills.append(will)

    async def bye(self, *, linger: bool) -> None:
        self.byes.append(linger)
        self.is_alive = False

    def die(self) -> None:
        self.is_alive = False
        self._on_end(None)

    def has_asked(self, *beginnings: str) -> list[bool]:
        return [any(one.startswith(beginning) for one in self.asked) for beginning in beginnings]


def spelled(step: Step) -> str:
    return step.text if isinstance(step, Nft) else " ".join(step.argv)


def spelled_all(steps: Iterable[Step]) -> list[str]:
    return [spelled(step).strip() for step in steps if isinstance(step, Nft | Command)]


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
async def interceptor(kernel: FakeKernel, vclock: VirtualClock) -> AsyncIterator[Interceptor]:
    interceptor = Interceptor(InterceptSettings(), vclock, kernel.link)
    yield interceptor
    await interceptor.stop()


async def listen(address: str) -> None:
    assert address == "169.254.96.16"


def complete(kernel: FakeKernel) -> None:
    kernel.routes = [LIVE, FALLBACK]
    kernel.tables = [f"edgecore_{keeper.pid}_9.251.0.0" for keeper in kernel.keepers]


async def test_who_asks_is_told_what_is_missing_now_and_not_when_the_watchdog_looked_last(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    await interceptor.start(listen)
    complete(kernel)
    assert await interceptor.check() == interceptor.status()
    kernel.routes = [FALLBACK]
    told = await interceptor.check()
    assert (told["state"], len(told["findings"])) == ("degraded", 1)
    assert (interceptor.status()["state"], interceptor.status()["findings"]) == ("active", [])
    kernel.refuses = lambda _: True
    told = await interceptor.check()
    assert (told["state"], bool(told["problem"])) == ("degraded", True)
    kernel.refuses = lambda _: False
    await interceptor.remove()
    assert (await interceptor.check())["state"] == "removed"


async def test_the_will_is_told_before_anything_changes_and_the_route_goes_live_after_the_rules(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    await interceptor.start(listen)
    [keeper] = kernel.keepers
    first, will = keeper.wills
    assert (first.at_once, spelled_all(first.at_last)) == ((), ["delete table ip edgecore_100_9.251.0.0"])
    assert spelled_all(will.at_once)[0].startswith("ip route delete 9.251.0.0/16 dev docker0")
    order = [
        keeper.asked.index(next(one for one in keeper.asked if one.startswith(beginning)))
        for beginning in (
            "table ip edgecore_100_9.251.0.0 {",
            "take over",
            "ip address replace 169.254.96.16/32 dev docker0",
            "ip route replace unreachable",
            "add table ip edgecore_100",
            "ip route replace 9.251.0.0/16 dev docker0",
        )
    ]
    assert order == sorted(order)
    assert interceptor.status()["state"] == "active"


async def test_a_start_that_fails_undoes_all_of_it(interceptor: Interceptor, kernel: FakeKernel) -> None:
    kernel.refuses = lambda text: text.startswith("add table")
    with pytest.raises(InterceptError):
        await interceptor.start(listen)
    [keeper] = kernel.keepers
    assert keeper.has_asked(
        "ip route delete 9.251", "ip route delete unreachable", "ip address delete 169.254.96.16/32"
    ) == [True, True, True]
    assert keeper.byes == [False]
    assert interceptor.status()["state"] == "off"


async def test_a_listener_that_cannot_be_undoes_all_of_it(interceptor: Interceptor, kernel: FakeKernel) -> None:
    async def taken(_address: str) -> None:
        raise ListenError("169.254.96.16:40001", "in_use", "address already in use")

    with pytest.raises(ListenError):
        await interceptor.start(taken)
    assert kernel.keepers[0].byes == [False]


async def test_a_route_of_somebody_else_is_not_replaced(interceptor: Interceptor, kernel: FakeKernel) -> None:
    kernel.routes = [{"dst": "9.251.0.0/16", "dev": "docker0", "protocol": "boot"}]
    with pytest.raises(InterceptError, match=r"9\.251\.0\.0/16 dev docker0.*ip route del.*subNet"):
        await interceptor.start(listen)
    assert not any("replace" in one for one in kernel.keepers[0].asked)


async def test_an_interface_is_made_as_a_bridge_where_there_are_no_dummies(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    kernel.interfaces = ["lo"]
    kernel.refuses = lambda text: text.endswith("type dummy")
    await interceptor.start(listen)
    [keeper] = kernel.keepers
    assert "ip link add name edgemesh0 type bridge" in keeper.asked
    assert "ip link delete dev edgemesh0" in spelled_all(keeper.wills[-1].at_last)


async def test_changes_of_spots_go_to_the_keeper(interceptor: Interceptor, kernel: FakeKernel) -> None:
    await interceptor.start(listen)
    interceptor.rules.lead(SPOT, HERE)
    await interceptor.rules.settled()
    assert "9.251.0.1 . tcp . 80 : 169.254.96.16 . 40001" in kernel.keepers[0].asked[-1]
    assert interceptor.status()["led"] == 1


@pytest.mark.parametrize("balances", [False, True])
async def test_the_interceptor_lingers_at_the_end_only_if_the_kernel_has_balanced(
    interceptor: Interceptor, kernel: FakeKernel, balances: bool
) -> None:
    await interceptor.start(listen)
    if balances:
        interceptor.rules.balance(SPOT, Balanced((Target(1, Endpoint("10.0.0.1", 80)),)))
        await interceptor.rules.settled()
    await interceptor.stop()
    await interceptor.stop()
    [keeper] = kernel.keepers
    assert keeper.byes == [balances]
    will = keeper.wills[-1]
    assert will.linger_s == (30.0 if balances else 0.0)
    drop_live = "ip route delete 9.251.0.0/16 dev docker0"
    assert spelled_all(will.at_last if balances else will.at_once)[0].startswith(drop_live)
    assert ("valid_lft 50" in spelled_all(will.at_once)[0]) == balances, "the address outlives the linger"
    assert sum(step.startswith(drop_live) for step in spelled_all((*will.at_once, *will.at_last))) == 1


async def test_a_keeper_that_ends_is_replaced_with_all_rules(interceptor: Interceptor, kernel: FakeKernel) -> None:
    await interceptor.start(listen)
    interceptor.rules.lead(SPOT, HERE)
    await interceptor.rules.settled()
    kernel.keepers[0].die()
    await settle()
    _, second = kernel.keepers
    assert "9.251.0.1 . tcp . 80" in next(one for one in second.asked if one.startswith("add table ip edgecore_101"))
    assert (interceptor.status()["state"], interceptor.keeper_restarts) == ("active", 1)


async def test_a_keeper_that_cannot_be_replaced_is_tried_again_later_each_time(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    await interceptor.start(listen)
    kernel.refuses = lambda text: text.startswith("add table")
    kernel.keepers[0].die()
    await settle()
    status = interceptor.status()
    assert (status["state"], "add table" in status["problem"], len(kernel.keepers)) == ("broken", True, 2)
    await vclock.advance(RESTART_S)
    assert len(kernel.keepers) == 3
    await vclock.advance(RESTART_S)
    assert len(kernel.keepers) == 3

    kernel.refuses = lambda _: False
    await vclock.advance(RESTART_S)
    assert interceptor.status()["state"] == "active"
    assert interceptor.status()["problem"] == ""


async def test_removed_rules_stay_away_whatever_changes_until_they_are_applied(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    await interceptor.start(listen)
    await interceptor.remove()
    assert (kernel.keepers[0].byes, kernel.keepers[0].wills[-1]) == ([False], Will())
    assert not any("route delete unreachable" in asked for asked in kernel.keepers[0].asked), "fake IPs stay refused"
    interceptor.rules.lead(SPOT, HERE)
    await vclock.advance(60.0)
    assert (len(kernel.keepers), interceptor.status()["state"]) == (1, "removed")

    await interceptor.apply()
    assert interceptor.status()["state"] == "active"
    assert "9.251.0.1 . tcp . 80" in "".join(kernel.keepers[1].asked)


async def test_what_is_missing_makes_the_status_degraded_and_is_mended(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    await interceptor.start(listen)
    complete(kernel)
    kernel.routes = [FALLBACK]
    kernel.refuses = lambda text: text.startswith("ip route replace 9.251")
    await vclock.advance(5.0)
    assert interceptor.status()["state"] == "degraded"
    assert "no route to 9.251.0.0/16" in interceptor.status()["findings"][0]

    complete(kernel)
    kernel.refuses = lambda _: False
    await vclock.advance(5.0)
    assert interceptor.status()["state"] == "active"


async def test_only_rules_that_are_missing_are_made_anew(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    await interceptor.start(listen)
    [keeper] = kernel.keepers
    complete(kernel)
    kernel.routes = [FALLBACK]
    await vclock.advance(5.0)
    assert sum(one.startswith("add table") for one in keeper.asked) == 1

    complete(kernel)
    kernel.tables = []
    await vclock.advance(5.0)
    assert sum(one.startswith("add table") for one in keeper.asked) == 2


async def test_tables_of_keepers_that_were_killed_are_taken_away_and_others_are_not(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    kernel.tables = [
        "edgecore_999999999_9.251.0.0",
        "edgecore_1_9.251.0.0",
        "edgecore_1_9.252.0.0",
        "docker",
        "edgecore_x",
    ]
    await interceptor.start(listen)
    deleted = [one.strip() for one in kernel.keepers[0].asked if one.startswith("delete table")]
    assert deleted == ["delete table ip edgecore_999999999_9.251.0.0", "delete table ip edgecore_1_9.251.0.0"]


async def test_another_node_that_lives_fails_the_start_and_is_not_disturbed(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    kernel.in_use = True
    started = asyncio.create_task(interceptor.start(listen))
    await vclock.advance(2.0)
    with pytest.raises(InterceptError, match="another node"):
        await started
    [keeper] = kernel.keepers
    assert keeper.asked.count("take over 9.251.0.0/16") == TRIES
    assert keeper.has_asked("ip address", "ip route", "add table") == [False, False, False]
    assert (keeper.byes, spelled_all(keeper.wills[-1].at_last)) == ([False], ["delete table ip edgecore_100_9.251.0.0"])


async def test_another_node_that_is_about_to_end_is_waited_for(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    kernel.in_use = True
    started = asyncio.create_task(interceptor.start(listen))
    await vclock.advance(BETWEEN_TRIES_S)
    kernel.in_use = False
    await vclock.advance(BETWEEN_TRIES_S)
    await started
    assert interceptor.status()["state"] == "active"


async def test_an_interface_that_goes_with_the_keeper_before_is_made_anew(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    kernel.interfaces = ["lo", "edgemesh0"]
    kernel.made = "edgemesh0"
    kernel.gone_at_succession = "edgemesh0"
    await interceptor.start(listen)
    assert "ip link add name edgemesh0 type dummy" in kernel.keepers[0].asked


@pytest.mark.parametrize("command", ["remove", "apply"])
async def test_what_was_asked_for_while_a_new_keeper_waited_for_its_turn_holds(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock, command: str
) -> None:
    await interceptor.start(listen)
    kernel.free.clear()
    busy = asyncio.create_task(interceptor.apply())
    await settle()
    asked = asyncio.create_task(getattr(interceptor, command)())
    await settle()
    kernel.keepers[0].die()
    await settle()
    kernel.free.set()
    await asyncio.gather(busy, asked, return_exceptions=True)
    await vclock.advance(RESTART_S)
    alive = [keeper for keeper in kernel.keepers if keeper.is_alive]
    assert (interceptor.state, len(alive)) == (("removed", 0) if command == "remove" else ("active", 1))
    assert interceptor.script is None or interceptor.script.i.table == f"edgecore_{alive[0].pid}_9.251.0.0"


async def test_a_stop_while_everything_is_applied_is_the_last_word(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    await interceptor.start(listen)
    await interceptor.remove()
    kernel.free.clear()
    applied = asyncio.create_task(interceptor.apply())
    await settle()
    stopped = asyncio.create_task(interceptor.stop())
    await settle()
    kernel.free.set()
    await asyncio.gather(applied, stopped)
    assert interceptor.state == "off"
    assert not any(keeper.is_alive for keeper in kernel.keepers)
    with pytest.raises(InterceptError, match="stopping"):
        await interceptor.apply()


async def test_fake_ips_are_refused_while_no_new_keeper_can_be_had(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    await interceptor.start(listen)
    kernel.refuses = lambda text: text.startswith("add table")
    kernel.keepers[0].die()
    await settle()
    second = kernel.keepers[1]
    assert second.has_asked("ip route delete 9.251", "ip route delete unreachable") == [True, False]
    kernel.refuses = lambda _: False


async def test_a_mistake_does_not_end_the_tries_for_a_new_keeper(
    interceptor: Interceptor, kernel: FakeKernel, vclock: VirtualClock
) -> None:
    def mistaken(text: str) -> bool:
        if text.startswith("add table"):
            raise ZeroDivisionError
        return False

    await interceptor.start(listen)
    kernel.refuses = mistaken
    kernel.keepers[0].die()
    await settle()
    assert interceptor.status()["problem"] == "ZeroDivisionError()"
    kernel.refuses = lambda _: False
    await vclock.advance(RESTART_S)
    assert interceptor.state == "active"


async def test_where_tables_have_no_owners_the_table_is_everybodys(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    kernel.refuses = lambda text: "flags owner" in text
    await interceptor.start(listen)
    assert interceptor.status()["owner"] is False
    assert kernel.keepers[0].has_asked(
        "add table ip edgecore_100_9.251.0.0\ndelete table ip edgecore_100_9.251.0.0"
    ) == [True]


async def test_what_the_last_keeper_took_away_before_it_left_is_made_again(
    interceptor: Interceptor, kernel: FakeKernel
) -> None:
    kernel.interfaces = ["lo"]
    await interceptor.start(listen)
    [keeper] = kernel.keepers
    after = keeper.asked[keeper.asked.index("take over 9.251.0.0/16") :]
    assert [one for one in after if one.startswith(("ip link add", "ip link set", "ip address", "ip route"))] == [
        "ip link add name edgemesh0 type dummy",
        "ip link set dev edgemesh0 addrgenmode none",
        "ip link set dev edgemesh0 up",
        "ip link set dev edgemesh0 alias made by edgecore",
        "ip address replace 169.254.96.16/32 dev edgemesh0 scope link valid_lft 20 preferred_lft 20",
        "ip route replace unreachable 9.251.0.0/16 metric 65000 proto 251",
        "ip route replace 9.251.0.0/16 dev edgemesh0 src 169.254.96.16 proto 251",
    ]


async def test_chains_of_iptables_are_made_when_the_last_keeper_has_left(
    kernel: FakeKernel, vclock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "has_program", lambda _: True)
    interceptor = Interceptor(InterceptSettings(tool="iptables"), vclock, kernel.link)
    await interceptor.start(listen)
    asked = kernel.keepers[0].asked
    assert asked.index("take over 9.251.0.0/16") < asked.index("iptables-save")
    await interceptor.stop()


async def test_nothing_is_touched_where_another_node_has_the_chains_of_iptables(
    kernel: FakeKernel, vclock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "has_program", lambda _: True)
    kernel.in_use = True
    interceptor = Interceptor(InterceptSettings(tool="iptables"), vclock, kernel.link)
    started = asyncio.create_task(interceptor.start(listen))
    await vclock.advance(2.0)
    with pytest.raises(InterceptError, match="another node"):
        await started
    [keeper] = kernel.keepers
    assert {(will.at_once, will.at_last) for will in keeper.wills} == {((), ())}
    assert keeper.has_asked("iptables", "ip address replace", "ip route replace", "ip link add") == [False] * 4


@pytest.mark.parametrize(("lives_s", "is_refused"), [(0xFFFFFFFF, True), (17, False)])
async def test_an_address_that_somebody_else_gave_is_left_alone(
    interceptor: Interceptor, kernel: FakeKernel, lives_s: int, is_refused: bool
) -> None:
    held = {"family": "inet", "local": "169.254.96.16", "prefixlen": 32, "valid_life_time": lives_s}
    kernel.addresses = [{"ifname": "lo", "addr_info": [held]}, {}]
    if is_refused:
        with pytest.raises(InterceptError, match=r"169\.254\.96\.16 is an address of lo.*interfaceAddress"):
            await interceptor.start(listen)
        assert kernel.keepers[0].has_asked("ip address") == [False]
    else:
        await interceptor.start(listen)


async def test_an_interface_that_the_user_named_is_made_as_a_bridge_and_left_to_who_gives_it_an_address(
    kernel: FakeKernel, vclock: VirtualClock
) -> None:
    kernel.interfaces = ["lo"]
    interceptor = Interceptor(InterceptSettings(is_named=True), vclock, kernel.link)
    await interceptor.start(listen)
    [keeper] = kernel.keepers
    assert "ip link add name docker0 type bridge" in keeper.asked
    assert "ip link delete dev docker0" in spelled_all(keeper.wills[-1].at_last)
    kernel.interfaces = ["lo", "docker0"]
    complete(kernel)
    await vclock.advance(5.0)
    assert interceptor.status()["made"] is True

    kernel.more_addresses = [{"family": "inet", "local": "172.17.0.1"}]
    await vclock.advance(5.0)
    assert interceptor.status()["made"] is False
    assert "ip link delete dev docker0" not in spelled_all(keeper.wills[-1].at_last)
    assert "ip link set dev docker0 alias " in keeper.asked
    await interceptor.stop()
