"""A replay with its verdict: what the command, the pytest plugin and tests of ours do."""

from collections.abc import Sequence

from edgecore.recording import frames as f
from edgecore.replay.options import Progress, ReplayOptions
from edgecore.replay.replayed import Replayed
from edgecore.replay.run import Tell, replay
from edgecore.verdict.judge import judge
from edgecore.verdict.rules import Rules
from edgecore.verdict.verdict import Verdict


def _nobody(_progress: Progress) -> None:
    return


async def replay_and_judge(options: ReplayOptions, rules: Rules, tell: Tell = _nobody) -> list[Verdict]:
    """Play the recordings and return a verdict for each.

    Raises ``EdgecoreError`` where it could not be played.
    """
    return verdicts_of(await replay(options, tell, is_alone=rules.is_recorded_alone), rules)


def verdicts_of(replayed: Sequence[Replayed], rules: Rules) -> list[Verdict]:
    """Compare each recording with what our node did in it, but for those that were only played before."""
    paced = [frame for one in replayed for frame in one.recording.edge if f.kind_of(frame) in f.PERIODIC]
    return [
        judge(one.recording, one.compared, rules=rules, sent=one.sent, periodic=paced, said=one.said)
        for one in replayed
        if not one.is_before
    ]
