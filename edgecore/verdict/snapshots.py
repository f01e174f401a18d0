"""What two nodes knew at the end: rows, services, DNS answers, devices; fake IPs by whose they are (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from edgecore.recording.entries import Snapshot
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.fields import differences
from edgecore.verdict.rules import DEVICE, DNS, ROW, SERVICE, Rules
from edgecore.verdict.verdict import WHOLE, Difference, Verdict

NO_SNAPSHOT = "state: the replay has no snapshot"
NOT_ASKED = "dns: only one of the two was asked"
_OUTSIDE = "outside"
"""The rule of a name that is none of the node's."""


class Item(NamedTuple):
    """One thing that a node knows."""

    kind: str
    key: str
    value: Any


def compare_snapshots(found: Verdict, rules: Rules, recorded: Recording, replayed: Recording) -> None:
    """Compare the last snapshots, if the recording has one."""
    was, our = _last(recorded), _last(replayed)
    if was is None:
        return
    if our is None:
        found.passed_over[NO_SNAPSHOT] += 1
        return
    theirs, own = _items(was.state), _items(our.state)
    spoken_of = names_spoken_of(recorded)
    for key in sorted(theirs.keys() | own.keys()):
        item = theirs.get(key) or own[key]
        if rules.is_uncompared(item.kind, item.key):
            continue
        if item.kind == DNS and (key not in theirs or key not in own) and not _is_left(item, spoken_of):
            if item.key not in spoken_of:  # else it is that of a service that neither has
                found.passed_over[NOT_ASKED] += 1
            continue
        found.compared[item.kind] += key in theirs
        values = (side[key].value if key in side else ABSENT for side in (theirs, own))
        wrong = list(differences(rules, item.kind, *values))
        lines = [rules.known_field(item.kind, *one) for one in wrong]
        found.used.update(line.ledger for line in lines if line is not None)
        unknown = [one for one, line in zip(wrong, lines, strict=True) if line is None]
        found.differences += [_difference(item, was, our, one) for one in unknown]
        found.equal[item.kind] += key in theirs and not wrong
        found.explained[item.kind] += bool(wrong) and not unknown


def names_spoken_of(recording: Recording) -> frozenset[str]:
    """Return the names of the services of which the cloud spoke, as a snapshot asks for them; some may be gone."""
    found = set()
    for frame in recording.cloud:
        namespace, kind, name = (*frame.resource.split("/"), "", "", "")[:3]
        if kind == SERVICE and name:
            found.add(f"{name}.{namespace}")
    return frozenset(found)


def _is_left(item: Item, spoken_of: frozenset[str]) -> bool:
    """Whether a node answers for a service that the other does not know: it asks for all that it knows."""
    return item.key in spoken_of and item.value.get("rule") != _OUTSIDE


def _last(recording: Recording) -> Snapshot | None:
    return next((one for one in reversed(recording.entries) if isinstance(one, Snapshot)), None)


def _difference(item: Item, was: Snapshot, our: Snapshot, field: tuple[str, Any, Any]) -> Difference:
    return Difference(
        kind=item.kind,
        what=item.key,
        path=field[0] or WHOLE,
        recorded=field[1],
        ours=field[2],
        recorded_entry=was.n or was.line,
        our_entry=our.n or our.line,
    )


def _items(state: Mapping[str, Any]) -> dict[tuple[str, str], Item]:
    """Return what a snapshot says, thing by thing, with the owner's name in place of each fake IP."""
    owners = dict(_owners(state.get("services") or ()))
    items = [Item(kind, key, _owned(value, owners)) for kind, key, value in _every(state)]
    return {(item.kind, item.key): item for item in items}


def _every(state: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for row in state.get("rows") or ():
        yield f"{ROW}{row.get('type')}", str(row.get("key")), {"value": row.get("value")}
    for service in state.get("services") or ():
        yield SERVICE, f"{service.get('namespace')}/{service.get('name')}", service
    for name, answer in (state.get("dns") or {}).items():
        yield DNS, name, answer
    for device in state.get("devices") or ():
        yield DEVICE, str(device.get("id")), device
    for part, value in state.items():
        if part not in ("rows", "services", "dns", "devices"):
            yield part, part, value


def _owners(services: Any) -> Iterator[tuple[str, str]]:
    for service in services:
        name = f"{service.get('namespace')}/{service.get('name')}"
        if service.get("fake_ip"):
            yield service["fake_ip"], f"<fake IP of {name}>"
        for pod in service.get("named_pods") or ():
            if pod.get("fake_ip"):
                yield pod["fake_ip"], f"<fake IP of {pod.get('hostname')} in {name}>"


def _owned(value: Any, owners: Mapping[str, str]) -> Any:
    """Replace fake IPs in texts: as a whole, or as one of the words of a DNS record."""
    if isinstance(value, str):
        return " ".join(owners.get(word, word) for word in value.split(" ")) if len(value) < 512 else value
    if isinstance(value, list):
        return [_owned(one, owners) for one in value]
    if isinstance(value, dict):
        return {key: _owned(one, owners) for key, one in value.items()}
    return value
