"""From the name of a strategy to the strategy."""

import random

from edgecore.clock import Clock
from edgecore.modules.edgemesh.upstream.balancing.consistenthash import ConsistentHash
from edgecore.modules.edgemesh.upstream.balancing.cookies import CookieStickiness
from edgecore.modules.edgemesh.upstream.balancing.keys import key_of
from edgecore.modules.edgemesh.upstream.balancing.leastrequest import LeastRequest
from edgecore.modules.edgemesh.upstream.balancing.randomchoice import RandomChoice
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.roundrobin import RoundRobin
from edgecore.modules.edgemesh.upstream.balancing.stickiness import Stickiness
from edgecore.modules.edgemesh.upstream.balancing.strategy import Strategy
from edgecore.modules.edgemesh.upstream.policy import Policy


def strategy_of(policy: Policy, rng: random.Random, clock: Clock, room: Room) -> Strategy:
    """Return a fresh strategy as ``policy`` asks for it, without hosts. What it remembers of clients is in ``room``."""
    if policy.strategy == "Random":
        return RandomChoice(rng)
    if policy.strategy == "LeastRequest":
        return LeastRequest(rng)
    if policy.strategy == "ConsistentHash":
        return ConsistentHash(key_of(policy.hash_by, policy.hash_name), policy.hash_balance)
    if policy.strategy == "SessionStickiness":
        if policy.hash_by == "cookie":
            by_address = Stickiness(key_of("source", ""), policy.affinity_timeout_s, clock.monotonic, room)
            return CookieStickiness(policy.hash_name, by_address)
        return Stickiness(key_of(policy.hash_by, policy.hash_name), policy.affinity_timeout_s, clock.monotonic, room)
    return RoundRobin()


def same_strategy(one: Policy, other: Policy) -> bool:
    """Say whether the strategy made for ``one`` does for ``other``: it goes on, with all that it remembers."""
    return _what_matters(one) == _what_matters(other)


def _what_matters(policy: Policy) -> tuple[object, ...]:
    if policy.strategy == "ConsistentHash":
        return policy.strategy, policy.hash_by, policy.hash_name, policy.hash_balance
    if policy.strategy == "SessionStickiness":
        return policy.strategy, policy.hash_by, policy.hash_name, policy.affinity_timeout_s
    return (policy.strategy,)
