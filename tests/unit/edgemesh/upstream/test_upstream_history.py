"""Whatever happens to a port, and in whatever order: what always holds of it."""

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.upstream.health.outliers import most
from edgecore.modules.edgemesh.upstream.policy import Policy
from tests.support.healthrig import HealthRig, endpoint, health_rig
from tests.support.upstreams import asking

ANYBODY = asking()
HOSTS = range(1, 7)

Step = Callable[[HealthRig], object]

POLICIES = st.builds(
    Policy,
    eject_after=st.integers(0, 4),
    eject_base_s=st.sampled_from((0.5, 10.0, 30.0)),
    eject_max_s=st.sampled_from((30.0, 300.0)),
    eject_max_share=st.sampled_from((0.0, 0.3, 0.5, 1.0)),
    panic_share=st.sampled_from((0.01, 0.3, 0.5, 1.0)),
    checks=st.sampled_from(("off", "tcp")),
    drain_s=st.sampled_from((0.0, 5.0)),
)
STEPS = st.one_of(
    st.tuples(st.just("fail"), st.sampled_from(HOSTS), st.integers(1, 6)),
    st.tuples(st.just("serve"), st.sampled_from(HOSTS), st.integers(1, 3)),
    st.tuples(st.just("advance"), st.floats(0, 400), st.none()),
    st.tuples(st.just("checks_fail"), st.sampled_from(HOSTS), st.booleans()),
    st.tuples(st.just("put"), st.lists(st.sampled_from(HOSTS), max_size=8), POLICIES | st.none()),
    st.tuples(st.just("news"), st.sampled_from("abc"), st.none()),
)


class History:
    """One port, and what is done to it."""

    def __init__(self, policy: Policy) -> None:
        self.rig = health_rig()
        self.policy = policy
        self.numbers: list[int] = list(HOSTS)
        self.version = "a"
        self.put()

    def put(self) -> None:
        self.rig.put(self.numbers, self.policy, version=self.version)

    async def do(self, what: str, one: object, other: object) -> None:
        if what == "advance":
            assert isinstance(one, float)
            await self.rig.clock.advance(one)
        elif what == "put":
            assert isinstance(one, list)
            self.numbers = one
            self.policy = other if isinstance(other, Policy) else self.policy
            self.put()
        elif what == "news":
            self.version = str(one)
            self.put()
        elif isinstance(one, int) and one in self.numbers:
            if what == "checks_fail":
                self.rig.answers.errors.pop(endpoint(one), None)
                if other:
                    self.rig.answers.errors[endpoint(one)] = "connect_failed"
            else:
                assert isinstance(other, int)
                for _ in range(other):
                    self.rig.fail(one) if what == "fail" else self.rig.serve(one)

    def look(self) -> None:
        upstream = self.rig.upstream()
        hosts = list(upstream.hosts.values())
        ejected = [host for host in hosts if host.ejected_until]
        well = tuple(host for host in hosts if not host.ejected_until and host.checked is not False)
        assert len(ejected) <= most(len(hosts), self.policy)
        assert all(host.ejected_until > self.rig.clock.monotonic() for host in ejected)
        assert upstream.available == (tuple(hosts) if upstream.panicking else well)
        assert bool(upstream.available) == bool(hosts)  # each of the policies has a panic floor
        assert (upstream.choose(ANYBODY) is None) == (not hosts)
        assert {upstream.why(host) for host in hosts} <= {"in", "trial", "ejected", "check_failed", "panic"}
        assert self.rig.timers <= 1 + (2 * len(hosts) if self.policy.checks == "tcp" else 0)


@given(POLICIES, st.lists(STEPS, max_size=30))
def test_whatever_happens_the_share_and_the_floor_hold_and_in_quiet_all_come_back(
    policy: Policy, steps: list[tuple[str, object, object]]
) -> None:
    async def run() -> None:
        history = History(policy)
        for step in steps:
            await history.do(*step)
            history.look()
        rig = history.rig
        rig.answers.errors.clear()
        await rig.clock.advance(400)
        assert rig.available() == list(dict.fromkeys(history.numbers))
        for number in history.numbers:
            rig.serve(number)
        assert {rig.upstream().why(host) for host in rig.upstream().hosts.values()} <= {"in"}
        await rig.close()
        assert rig.timers == 0

    asyncio.run(run())
