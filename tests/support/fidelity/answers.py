"""Comparing what two clouds answered to the same requests (pure)."""

from collections import defaultdict
from collections.abc import Sequence

from edgecore.recording import frames as f
from edgecore.recording.frames import Frame
from edgecore.verdict.checks import ABSENT, EVERY, ID, TIME_MS, VERSION
from edgecore.verdict.fields import differences
from edgecore.verdict.rules import Rules, Volatile
from edgecore.verdict.unpaired import Unpaired
from edgecore.verdict.verdict import Difference, Verdict

RULES = Rules(
    (
        Volatile((EVERY,), ("header.msg_id",), ID, "each message has an id of its own"),
        Volatile((EVERY,), ("header.timestamp",), TIME_MS, "the time of sending"),
        Volatile((f.CLOUD_ANSWER,), ("header.resourceversion",), VERSION, "the cloud counts on its own"),
    )
)

STUB_ALONE = {("e_disconnect_reconnect_resync", f.NODE_STATUS, "default/nodestatus/edge-node1"): "H3"}
"""Requests that the Go cloudcore left without an answer, and our stub does not, with their line in the ledger."""


def compare_answers(
    recording: str, requests: Sequence[Frame], recorded: Sequence[Frame], ours: Sequence[Frame]
) -> Verdict:
    """Compare what two clouds answered to the same requests; one that neither answered is equal."""
    found = Verdict(recording=recording)
    theirs, own = _by_parent(recorded), _by_parent(ours)
    for request in requests:
        kind = f.kind_of(request)
        was, our = theirs.get(request.id, []), own.pop(request.id, [])
        if len(our) > len(was) == 0 and (line := STUB_ALONE.get((recording, kind, request.resource))):
            found.used[line] += 1
            continue
        found.compared[kind] += 1
        wrong = [_missing(answer) for answer in was[len(our) :]]
        wrong += [_too_many(answer) for answer in our[len(was) :]]
        wrong += [each for pair in zip(was, our, strict=False) for each in _fields(*pair)]
        found.differences += wrong
        found.equal[kind] += not wrong
    found.differences += [_too_many(answer) for left in own.values() for answer in left]
    return found


def _by_parent(answers: Sequence[Frame]) -> dict[str, list[Frame]]:
    found: defaultdict[str, list[Frame]] = defaultdict(list)
    for answer in answers:
        found[answer.parent].append(answer)
    return dict(found)


def _fields(recorded: Frame, ours: Frame) -> list[Difference]:
    kind = f.CLOUD_ANSWER
    return [
        Difference(kind=kind, what=recorded.resource, path=path, recorded=was, ours=our, recorded_entry=recorded.line)
        for path, was, our in differences(RULES, kind, recorded.document, ours.document)
    ]


def _missing(frame: Frame) -> Difference:
    short = Unpaired(f.CLOUD_ANSWER, frame).short
    return Difference(
        kind=f.CLOUD_ANSWER,
        what=frame.resource,
        path="message",
        recorded=short,
        ours=ABSENT,
        recorded_entry=frame.line,
    )


def _too_many(frame: Frame) -> Difference:
    short = Unpaired(f.CLOUD_ANSWER, frame).short
    return Difference(kind=f.CLOUD_ANSWER, what=frame.resource, path="message", recorded=ABSENT, ours=short)
