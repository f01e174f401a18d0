from collections.abc import Callable
from typing import Any

from edgecore.modules.edgemesh.explain.explanation import Step
from edgecore.modules.edgemesh.explain.sight import Sight
from edgecore.modules.edgemesh.services import ServiceEntry
from tests.support.upstreams import fresh_table


def sight_on(**footing: Any) -> Sight:
    return Sight(fresh_table(), {}, None, 0.0).standing_on({"mode": "rootless", "pool": None, **footing})


def test_findings_and_the_problem_of_interception_are_told_together() -> None:
    intercept = {
        "findings": ["a rule is missing"],
        "problem": "cannot make it: denied",
        "cut": ["9.251.0.1/32"],
        "names": ["192.0.2.1"],
    }
    sight = sight_on(mode="intercept", pool="9.251.0.0/16", intercept=intercept)
    assert (sight.mode, sight.pool) == ("intercept", "9.251.0.0/16")
    assert (sight.findings, sight.cut) == (("a rule is missing", "cannot make it: denied"), ("9.251.0.1/32",))
    assert sight.name_servers == ("192.0.2.1",)


def test_without_interception_there_are_no_findings() -> None:
    sight = sight_on(why_rootless="this process lacks CAP_NET_ADMIN")
    assert (sight.pool, sight.findings, sight.why_rootless) == ("", (), "this process lacks CAP_NET_ADMIN")


async def test_why_it_is_not_mode_intercept_is_told(world: Any, web: ServiceEntry, step: Callable[..., Step]) -> None:
    world.sight = {"why_rootless": "this process lacks CAP_NET_ADMIN"}
    told = step(await world.explain("web"), "interception")
    assert (told.state, told.why) == ("ok", ("mode intercept was asked for: this process lacks CAP_NET_ADMIN",))
