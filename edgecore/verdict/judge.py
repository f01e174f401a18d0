"""The judge of a replay: what was recorded and what our node did, compared by meaning (pure)."""

from collections.abc import Sequence

from edgecore.recording.frames import Frame
from edgecore.recording.session import Recording
from edgecore.verdict.messages import Messages
from edgecore.verdict.mqtt import compare_mqtt
from edgecore.verdict.rules import Rules
from edgecore.verdict.snapshots import compare_snapshots
from edgecore.verdict.verdict import Verdict


def judge(
    recorded: Recording,
    replayed: Recording,
    *,
    rules: Rules,
    sent: Sequence[Frame] = (),
    periodic: Sequence[Frame] = (),
    said: frozenset[str] = frozenset(),
) -> Verdict:
    """Compare what ``replayed`` says of our node with ``recorded``: frames of the edge, MQTT, the snapshots at the end.

    ``sent`` are the cloud's messages in the order in which our node got them (by default, as they stand in
    ``replayed``). ``periodic`` are messages of other recordings with which ours of a paced kind may be compared too.
    ``said`` are the ids that our node had sent in the recordings before.
    """
    rules = rules.fitting(recorded)
    found = Verdict(recording=recorded.name)
    Messages(found, rules, recorded, replayed).compare(sent or replayed.cloud, periodic, said)
    compare_mqtt(found, rules, recorded, replayed)
    compare_snapshots(found, rules, recorded, replayed)
    return found
