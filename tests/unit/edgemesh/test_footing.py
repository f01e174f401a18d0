"""Which mode comes to be in force, and why."""

from ipaddress import IPv4Network

import pytest

from edgecore.errors import InterceptError, ListenError, PoolExhausted
from edgecore.modules.edgemesh.footing import Footing, Wanted

SUBNET = IPv4Network("9.251.0.0/16")
ROOTLESS = IPv4Network("127.251.0.0/16")


class FakePlaces:
    async def stop(self):
        pass


class FakeInterception:
    def __init__(self):
        self.places = FakePlaces()
        self.error = None
        self.happened = []

    async def start(self):
        self.happened.append("started")
        if self.error is not None:
            raise self.error

    async def stop(self):
        self.happened.append("stopped")

    def status(self):
        return {"state": "active"}

    def families(self):
        return ()


class Locks:
    """Of all nodes of a machine."""

    def __init__(self, *held):
        self.held = set(held)

    def __call__(self, subnet):
        if subnet in self.held:
            return None
        self.held.add(subnet)
        return Lock(self, subnet)


class Lock:
    def __init__(self, locks, subnet):
        self.locks, self.subnet = locks, subnet

    def close(self):
        self.locks.held.discard(self.subnet)


def footing(mode, intercepting, locks=None, *, named=True, may=True):
    wanted = Wanted(mode=mode, interface_named=named)
    return Footing(wanted, FakePlaces, intercepting, try_lock=locks or Locks(), may_intercept=lambda: may)


@pytest.mark.parametrize(
    ("mode", "named", "may", "expected"),
    [
        ("rootless", True, True, "rootless"),
        ("auto", False, True, "rootless"),
        ("auto", True, False, "rootless"),
        ("auto", True, True, "intercept"),
        ("intercept", False, True, "intercept"),
    ],
)
async def test_auto_intercepts_where_it_may_and_the_user_named_an_interface(mode, named, may, expected):
    made = footing(mode, FakeInterception(), named=named, may=may)
    subnet, _ = await made.start(None)
    assert (made.mode, subnet) == (expected, SUBNET if expected == "intercept" else ROOTLESS)
    assert bool(made.why_rootless) == (mode == "auto" and named and not may)


@pytest.mark.parametrize("error", [InterceptError("refused", "no"), ListenError("169.254.96.16:1", "in_use", "taken")])
async def test_auto_is_rootless_where_interception_fails_and_lets_its_pool_go(error):
    locks, intercepting = Locks(), FakeInterception()
    intercepting.error = error
    made = footing("auto", intercepting, locks)
    assert (await made.start(None))[0] == ROOTLESS
    assert (made.mode, made.why_rootless, locks.held) == ("rootless", str(error), {ROOTLESS})


async def test_auto_is_rootless_beside_another_node_that_intercepts_the_same_subnet():
    intercepting = FakeInterception()
    made = footing("auto", intercepting, Locks(SUBNET))
    assert (await made.start(None))[0] == ROOTLESS
    assert "other nodes of this machine hold 9.251.0.0/16" in made.why_rootless
    assert intercepting.happened == []


async def test_mode_intercept_takes_nothing_else():
    with pytest.raises(PoolExhausted):
        await footing("intercept", FakeInterception(), Locks(SUBNET)).start(None)
    with pytest.raises(InterceptError, match="CAP_NET_ADMIN"):
        await footing("intercept", FakeInterception(), may=False).start(None)
