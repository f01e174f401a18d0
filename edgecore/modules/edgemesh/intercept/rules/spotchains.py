"""The chains of the spots that the kernel balances, and of their targets, from before to after.

Each target has a counter ``hits-<id>`` and, where clients stay with it, a chain ``to-<id>`` and a set ``kept-<id>`` of
their addresses; chains are few because nft fetches the list of all before each change. They are made when the target
comes and deleted when it goes, and not touched while it stays. A client is remembered by a rule of its own: where the
set is full that rule ends, and the client is balanced each time, but not refused. A client that is a target itself is
led to the proxy: a bridge does not give a packet back to the port where it came from. Each spot has a counter
``sum-<spot>``, which knows as well what went to targets that are gone.

A target is chosen by one rule for each and not by a map: a packet that is among the rules while they change goes on in
the old ones, but would find a map of theirs empty already.
"""

from collections.abc import Iterator, Mapping

from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Target

_TURN = {"round_robin": "numgen inc", "random": "numgen random"}


def chain_of(spot: Spot) -> str:
    """Return the name of a spot's chain."""
    return f"spot-{spot.address}-{spot.port}-{spot.transport}"


def sum_of(spot: Spot) -> str:
    """Return the name of a spot's counter."""
    return f"sum-{spot.address}-{spot.port}-{spot.transport}"


def rule_counts(spots: Mapping[Spot, Balanced]) -> Iterator[tuple[str, int]]:
    """Yield the name of each chain that ``spots`` need, and how many rules it has."""
    for spot, balanced in spots.items():
        yield chain_of(spot), sum(1 for _ in _spell_spot(spot, balanced))
        if balanced.sticky_s:
            for target in set(balanced.targets):
                yield f"to-{target.id}", 3


def counters_of(spots: Mapping[Spot, Balanced]) -> Iterator[str]:
    """Yield the name of each counter that ``spots`` need."""
    for spot, balanced in spots.items():
        yield sum_of(spot)
        yield from (f"hits-{target.id}" for target in balanced.targets)


class SpotChains:
    """What is to be done: ``unlink``, ``take``, ``give``, ``link``, in this order, while no map leads to what goes."""

    def __init__(self, table: str, before: Mapping[Spot, Balanced], after: Mapping[Spot, Balanced]) -> None:
        self._table = f"ip {table}"
        self._before = before
        self._after = after
        changed = {spot: balanced for spot, balanced in after.items() if before.get(spot) != balanced}
        self._changed = changed
        self._old = _targets({spot: before[spot] for spot in before if after.get(spot) != before[spot]})
        self._new = _targets(changed)

    def unlink(self) -> Iterator[str]:
        """Empty the chains of the spots that go or change, and delete those of the former."""
        for spot, balanced in self._before.items():
            if self._after.get(spot) != balanced:
                yield f"flush chain {self._table} {chain_of(spot)}"
        for spot in self._before:
            if spot not in self._after:
                yield f"delete chain {self._table} {chain_of(spot)}"

    def take(self) -> Iterator[str]:
        """Delete what belongs to targets that are none any more, or are kept no more, and to spots that go."""
        for spot in self._before:
            if spot not in self._after:
                yield f"delete counter {self._table} {sum_of(spot)}"
        for number, (_, _, sticky_s) in self._old.items():
            new = self._new.get(number)
            if new == self._old[number]:
                continue
            if sticky_s:
                yield f"flush chain {self._table} to-{number}"
                if new is None or not new[2]:
                    yield f"delete chain {self._table} to-{number}"
                    yield f"delete set {self._table} kept-{number}"
            if new is None:
                yield f"delete counter {self._table} hits-{number}"

    def give(self) -> Iterator[str]:
        """Make what belongs to targets that have come, and make anew the rules of those that are kept otherwise."""
        for number, (target, transport, sticky_s) in self._new.items():
            old = self._old.get(number)
            if old == self._new[number]:
                continue
            if old is None:
                yield f"add counter {self._table} hits-{number}"
            if sticky_s:
                if old is None or not old[2]:
                    yield f"add chain {self._table} to-{number}"
                    yield f"add set {self._table} kept-{number} {{ type ipv4_addr; flags dynamic, timeout; }}"
                yield f"add rule {self._table} to-{number} {_spell_away(target.endpoint.host)}"
                keep = f"update @kept-{number} {{ ip saddr timeout {_spell_time(sticky_s)} }}"
                yield f"add rule {self._table} to-{number} {keep}"
                yield f"add rule {self._table} to-{number} {_spell_target(target, transport)}"

    def link(self) -> Iterator[str]:
        """Make the chains of spots that have come, and fill those and the changed ones."""
        for spot, balanced in self._changed.items():
            name = chain_of(spot)
            if spot not in self._before:
                yield f"add chain {self._table} {name}"
                yield f"add counter {self._table} {sum_of(spot)}"
            for rule in _spell_spot(spot, balanced):
                yield f"add rule {self._table} {name} {rule}"


_Kept = tuple[Target, str, float]
"""A target, its transport, and how long clients stay with it."""


def _targets(spots: Mapping[Spot, Balanced]) -> dict[int, _Kept]:
    return {
        target.id: (target, spot.transport, balanced.sticky_s)
        for spot, balanced in spots.items()
        for target in balanced.targets
    }


def _spell_spot(spot: Spot, balanced: Balanced) -> Iterator[str]:
    """Yield the rules of a spot. The rule of a target takes one in as many of all that come to it as there are left."""
    targets, kept = balanced.targets, bool(balanced.sticky_s)
    yield f'counter name "{sum_of(spot)}"'
    if not kept:
        for host in dict.fromkeys(target.endpoint.host for target in targets):
            yield _spell_away(host)
    elif len(targets) > 1:
        for number in dict.fromkeys(target.id for target in targets):
            yield f"ip saddr @kept-{number} goto to-{number}"
    for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
        there = f"goto to-{target.id}" if kept else _spell_target(target, spot.transport)
        yield f"{_TURN[balanced.strategy]} mod {left} 0 {there}" if left > 1 else there


def _spell_away(host: str) -> str:
    return f"ip saddr {host} goto led"


def _spell_target(target: Target, transport: str) -> str:
    return f'counter name "hits-{target.id}" meta l4proto {transport} dnat to {target.endpoint}'


def _spell_time(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"
