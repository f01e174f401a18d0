"""A node that is killed with SIGKILL at any commit or acknowledgement, and started again, loses nothing.

The node is the one of ``app.py``, with a recorded session played to it (``tests/support/crash``). What is not
acknowledged is sent again, as a cloud does. After each death the file must hold a beginning of the session: all that
was acknowledged, and nothing half. After the next start it must hold the whole of it, and one more start must change
nothing. A short run draws some of the points; the seed is that of the run (``--randomly-seed``).
"""

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crash.death import AT_ACKS, AT_COMMITS, Moment, Point
from crash.invariants import Dump, check, dump
from crash.model import Expected, expectations
from crash.process import Orders, heard
from crash.server import Processes
from crash.session import COPIES, Item, recorded_session

SHARE = 5
"""In a short run so many points of each kind are drawn. In a long one every commit and every acknowledgement is taken,
at one of its moments: the first at the first, the next at the next, and so on."""
OPENING = 2
"""The first so many points, where the file is made, are always taken."""
CHAINS = 1
"""In a short run so many sessions are interrupted again and again."""
BURST = 24
"""Messages on their way at one time, so that many share a commit."""
KILLED = -9


class Sessions(NamedTuple):
    processes: Processes
    items: tuple[Item, ...]
    expected: Sequence[Expected]


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    items = recorded_session()
    with Processes() as processes:
        yield Sessions(processes, items, expectations(items))


class Play:
    """One node's directory, and the processes that play the session in it."""

    def __init__(self, sessions: Sessions, directory: Path, window: int) -> None:
        self.directory = directory
        self._sessions = sessions
        self._window = window
        directory.mkdir()

    def run(self, point: Point | None = None, *, killed_after_s: float | None = None) -> int:
        return self._sessions.processes.run(Orders(str(self.directory), self._window, point, killed_after_s))

    def check(self, *, at_rest: bool = False) -> int:
        """Return how many steps of the session the file holds."""
        return check(self.directory, self._sessions.expected, window=self._window, at_rest=at_rest)

    def finish(self) -> Dump:
        """Start again, let the session come to its end, and once more: nothing may change any more."""
        before = self.fake_ips()
        assert self.run() == 0
        assert self.check(at_rest=True) == len(self._sessions.items)
        end, after = dump(self.directory), self.fake_ips()
        kept = before.keys() & after.keys()
        assert {service: after[service] for service in kept} == {service: before[service] for service in kept}
        assert self.run() == 0
        assert dump(self.directory) == end
        return end

    def fake_ips(self) -> dict[tuple[str, str], str]:
        """Return the addresses of services, as the file has them."""
        rows = dump(self.directory).get("edgemesh_address", ())
        return {(namespace, name): address for address, namespace, name, released_at_ms in rows if not released_at_ms}

    def heard(self, word: str) -> list[str]:
        return heard(self.directory / "cloud.txt", word)

    def log(self) -> str:
        log = self.directory / "log.txt"
        return log.read_text()[-4000:] if log.exists() else ""


def _seed(request: pytest.FixtureRequest, *words: Any) -> str:
    return " ".join(map(str, (request.config.getoption("randomly_seed", default=1), *words)))


def _drawn(moment: Moment, count: int, scale: int, seed: str) -> list[int]:
    """Return the numbers of the points, of ``count``, to die at."""
    numbers = range(1, count + 1)
    if scale == 1:
        return [*numbers[:OPENING], *sorted(random.Random(seed).sample(numbers[OPENING:], SHARE - OPENING))]
    moments = AT_COMMITS if moment in AT_COMMITS else AT_ACKS
    return sorted({*numbers[:OPENING], *numbers[moments.index(moment) :: len(moments)]})


def test_a_session_that_nobody_disturbs_comes_to_what_is_expected(sessions: Sessions, tmp_path: Path) -> None:
    play = Play(sessions, tmp_path / "node", 1)
    play.finish()
    commits, acks, commits_of_the_writer = map(int, play.heard("end")[0].split())
    assert len(sessions.items) >= 200
    assert acks >= 200
    assert commits > commits_of_the_writer >= 200, (
        "every commit is a point: those of the writer, and the one of opening"
    )
    assert play.heard("gone") == ["default/pod/p1", *(f"default/pod/p1-{number}" for number in range(COPIES))]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("window", [1, BURST])
@pytest.mark.parametrize("moment", [*AT_COMMITS, *AT_ACKS])
def test_a_node_killed_at_any_commit_or_acknowledgement_has_all_it_acknowledged(
    *,
    sessions: Sessions,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    scale: int,
    moment: Moment,
    window: int,
) -> None:
    undisturbed = Play(sessions, tmp_path / "undisturbed", window)
    assert undisturbed.run() == 0, undisturbed.log()
    commits, acks, _ = map(int, undisturbed.heard("end")[0].split())
    seed = _seed(request, moment, window)
    count = commits if moment in AT_COMMITS else acks
    numbers = _drawn(moment, count, scale, seed)
    deaths = 0
    for number in numbers:
        play = Play(sessions, tmp_path / str(number), window)
        try:
            deaths += play.run(Point(moment, number)) == KILLED  # how many share a commit is not always the same
            play.check()
            play.finish()
        except AssertionError as error:
            raise AssertionError(f"killed {moment} {number}, window {window}: {error}\n{play.log()}") from error
        shutil.rmtree(play.directory)
    with capsys.disabled():
        sys.stdout.write(f"\nkilled {moment} at {deaths} of {count}, {window} at a time (seed {seed!r}) ")
    assert deaths >= OPENING, "the first are always reached"


@pytest.mark.timeout(3600)
def test_a_node_that_is_killed_again_and_again_comes_to_the_end_all_the_same(
    sessions: Sessions, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], scale: int
) -> None:
    """Every process dies, at one of the next commits or acknowledgements, or at any moment at all."""
    for chain in range(CHAINS * scale):
        seed = _seed(request, "chain", chain)
        draw = random.Random(seed)
        play = Play(sessions, tmp_path / str(chain), draw.choice((1, 5, BURST)))
        deaths, lives, steps = 0, 0, 0
        try:
            while steps < len(sessions.items) and lives < 1000:
                if draw.random() < 0.2:
                    code = play.run(killed_after_s=draw.uniform(0.02, 0.1))
                else:
                    code = play.run(Point(draw.choice((*AT_COMMITS, *AT_ACKS)), draw.randint(1, 12)))
                assert code in (0, KILLED)
                lives, deaths = lives + 1, deaths + (code == KILLED)
                before, steps = steps, play.check()
                assert before <= steps
            play.finish()
        except AssertionError as error:
            raise AssertionError(f"chain {seed!r}, process {lives}: {error}\n{play.log()}") from error
        with capsys.disabled():
            sys.stdout.write(f"\nkilled {deaths} of {lives} processes of one session (seed {seed!r}) ")
        assert deaths >= 3
        shutil.rmtree(play.directory)
