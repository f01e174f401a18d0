"""Names of hosts: who shares a lookup, how long it is good for, and what a name whose servers are silent holds up."""

import asyncio
import threading
from collections import Counter

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.lookups import DOUBTFUL_THREADS, KEPT_S, THREADS, WAITING_NAMES, Lookups


class StubResolver:
    """Knows some names; says nothing of those that are ``held`` until they are let go."""

    def __init__(self) -> None:
        self.addresses = {"db.example": ["10.1.1.1"], "web.example": ["10.2.2.2"]}
        self.asked: Counter[str] = Counter()
        self.held: dict[str, threading.Event] = {}

    def hold(self, *names: str) -> None:
        for name in names:
            self.held[name] = threading.Event()

    def let_go(self) -> None:
        for event in self.held.values():
            event.set()

    def __call__(self, name: str) -> list[str]:
        self.asked[name] += 1
        if name in self.held:
            self.held[name].wait(30)
        if name not in self.addresses:
            raise OSError(-2, "Name or service not known")
        return self.addresses[name]


@pytest.fixture
def resolver():
    stub = StubResolver()
    yield stub
    stub.let_go()


@pytest.fixture
def lookups(resolver, vclock: VirtualClock) -> Lookups:
    return Lookups(vclock, resolver)


def start(lookups: Lookups, *names: str) -> list["asyncio.Task[Endpoint]"]:
    return [asyncio.create_task(lookups.find(Endpoint(name, 80))) for name in names]


async def until_asked(resolver: StubResolver, number: int) -> None:
    for _ in range(1000):
        if resolver.asked.total() >= number:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"asked for {resolver.asked}")


async def test_a_name_becomes_its_address_with_the_port_that_was_asked_for(lookups) -> None:
    assert await lookups.find(Endpoint("DB.example", 5432)) == Endpoint("10.1.1.1", 5432)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "169.254.169.254", "0.0.0.0", "::1", "fe80::1%eth0", "::ffff:127.0.0.1"]
)
async def test_a_name_that_leads_to_this_machine_or_its_link_is_none(lookups, resolver, address: str) -> None:
    resolver.addresses["evil.example"] = [address]
    with pytest.raises(OSError, match=r"evil\.example stands for this machine"):
        await lookups.find(Endpoint("evil.example", 80))


async def test_of_several_addresses_the_first_that_may_be_reached_is_taken(lookups, resolver) -> None:
    resolver.addresses["mixed.example"] = ["127.0.0.1", "10.3.3.3", "10.4.4.4"]
    assert (await lookups.find(Endpoint("mixed.example", 1))).host == "10.3.3.3"


async def test_a_name_that_is_none_fails_with_the_words_of_the_system(lookups) -> None:
    with pytest.raises(OSError, match=r"^Name or service not known$"):
        await lookups.find(Endpoint("nothing.example", 80))


async def test_what_cannot_be_a_name_is_an_error_like_any_other(vclock) -> None:
    with pytest.raises(OSError, match="label"):
        await Lookups(vclock).find(Endpoint("a..b", 80))


@pytest.mark.parametrize("name", ["db.example", "nothing.example"])
async def test_an_answer_is_good_for_some_seconds(lookups, resolver, vclock, name: str) -> None:
    for _ in range(3):
        await asyncio.gather(*start(lookups, name), return_exceptions=True)
    assert resolver.asked[name] == 1
    await vclock.advance(KEPT_S)
    await asyncio.gather(*start(lookups, name), return_exceptions=True)
    assert resolver.asked[name] == 2


async def test_who_asks_for_the_same_name_meanwhile_shares_the_lookup(lookups, resolver) -> None:
    resolver.hold("db.example")
    tasks = start(lookups, *["db.example"] * 50)
    await until_asked(resolver, 1)
    tasks[0].cancel()
    resolver.let_go()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert others == [Endpoint("10.1.1.1", 80)] * 49
    assert resolver.asked == {"db.example": 1}


async def test_only_so_many_names_are_looked_up_at_a_time_and_none_that_nobody_waits_for(lookups, resolver) -> None:
    dead = [f"dead{number}.example" for number in range(THREADS + 2)]
    resolver.hold(*dead)
    tasks = start(lookups, *dead)
    await until_asked(resolver, THREADS)
    (web,) = start(lookups, "web.example")
    await asyncio.sleep(0)
    for task in tasks[THREADS:]:
        task.cancel()
    resolver.held[dead[0]].set()
    assert (await web).host == "10.2.2.2"
    assert sorted(resolver.asked) == [*dead[:THREADS], "web.example"]
    resolver.let_go()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_names_that_were_not_found_leave_threads_to_the_others(lookups, resolver, vclock) -> None:
    dead = [f"dead{number}.example" for number in range(THREADS)]
    await asyncio.gather(*start(lookups, *dead), return_exceptions=True)
    await vclock.advance(KEPT_S)
    resolver.hold(*dead)
    tasks = start(lookups, *dead)
    await until_asked(resolver, THREADS + DOUBTFUL_THREADS)
    assert (await lookups.find(Endpoint("web.example", 80))).host == "10.2.2.2"
    resolver.let_go()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_more_names_than_may_wait_fail_at_once(lookups, resolver) -> None:
    names = [f"dead{number}.example" for number in range(THREADS + WAITING_NAMES)]
    resolver.hold(*names)
    tasks = start(lookups, *names)
    await until_asked(resolver, THREADS)
    with pytest.raises(OSError, match="too many other names"):
        await lookups.find(Endpoint("web.example", 80))
    resolver.let_go()
    await asyncio.gather(*tasks, return_exceptions=True)
