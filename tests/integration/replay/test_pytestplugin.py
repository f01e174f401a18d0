"""The pytest plugin, in runs of pytest of its own; with a real node: ``e2e/test_replay_as_test.py``."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import ContentError

# All that a replay needs, now: pytester forgets modules that one of its runs is the first to import, and some (yaml)
# cannot be imported twice.
from edgecore.replay import judged, options, pytestplugin
from edgecore.replay.options import ReplayOptions
from edgecore.verdict.verdict import Difference, Verdict

pytest_plugins = ["pytester"]

NOTE = '{"t_ns": 1, "note": "x"}\n'


class Judge:
    """In the place of the replay: what it was asked, and what it says of a recording by its name."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], list[str], dict[str, Any]]] = []

    def __call__(self, files: list[Path], rules: list[Path], options: dict[str, Any]) -> list[Verdict]:
        self.asked.append(([path.name for path in files], [path.name for path in rules], options))
        return [self._verdict(path) for path in files]

    def _verdict(self, path: Path) -> Verdict:
        if path.stem == "torn":
            raise ContentError(f"cannot read recording {path.name}: it is torn")
        wrong = Difference(
            kind="pod status", what="default/podstatus/p1", path="content.Status.phase", recorded=1, ours=2
        )
        return Verdict(recording=path.stem, differences=[wrong] if path.stem.startswith("bad") else [])


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    one = Judge()
    monkeypatch.setattr(pytestplugin, "_judged", one)
    return one


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two recordings."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    for name in ("good", "bad"):
        write(pytester, f"recordings/{name}.jsonl", NOTE)
    return pytester


def write(pytester: pytest.Pytester, name: str, text: str) -> None:
    path = pytester.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugins = ("-p", "edgecore.replay.pytestplugin", "-p", "no:randomly", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*plugins, *arguments)


@pytest.mark.usefixtures("judge")
def test_each_recording_is_a_test_that_fails_with_the_report(project: pytest.Pytester) -> None:
    result = run(project, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*recordings/bad.jsonl::replay*FAILED*", "*content.Status.phase*"])
    assert "pytestplugin.py" not in result.stdout.str()


def test_recordings_beside_the_test_paths_are_collected_with_them(project: pytest.Pytester, judge: Judge) -> None:
    project.makeini("[pytest]\ntestpaths = tests\nasyncio_default_fixture_loop_scope = function\n")
    write(project, "tests/recordings/third.jsonl.gz", "")
    write(project, "tests/test_one.py", "def test_one(): pass")
    run(project).assert_outcomes(passed=2, failed=1)
    assert [files for files, _, _ in judge.asked] == [["bad.jsonl"], ["good.jsonl"]]
    run(project, "tests").assert_outcomes(passed=1)


@pytest.mark.usefixtures("judge")
def test_one_recording_can_be_chosen_by_its_name(project: pytest.Pytester) -> None:
    run(project, "recordings/good.jsonl").assert_outcomes(passed=1)


def test_what_is_no_recording_is_left_alone(pytester: pytest.Pytester, judge: Judge) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    write(pytester, "recordings/other.jsonl", '{"speech": "hello"}\n')
    write(pytester, "recordings/image.jsonl.png", "x")
    write(pytester, "recordings/copy.jsonl~", NOTE)
    run(pytester).assert_outcomes()
    assert judge.asked == []


def test_a_project_without_recordings_does_not_even_load_the_package(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_of_it_is_loaded():
            assert [name for name in sys.modules if name.startswith("edgecore.")] == [
                "edgecore.replay", "edgecore.replay.pytestplugin"
            ]
        """
    )
    command = (sys.executable, "-m", "pytest", "-q", "-p", "edgecore.replay.pytestplugin", "-p", "no:cacheprovider")
    pytester.run(*command).assert_outcomes(passed=1)


def test_patterns_of_ones_own_are_taken_at_their_word(project: pytest.Pytester, judge: Judge) -> None:
    project.makeini(
        "[pytest]\nedgecore_recordings = sessions/**/*.zst\nasyncio_default_fixture_loop_scope = function\n"
    )
    write(project, "sessions/torn.zst", "no recording")
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["cannot read recording torn.zst: it is torn"])
    assert [files for files, _, _ in judge.asked] == [["torn.zst"]]


def test_an_empty_pattern_collects_none(project: pytest.Pytester, judge: Judge) -> None:
    project.makeini("[pytest]\nedgecore_recordings =\nasyncio_default_fixture_loop_scope = function\n")
    run(project).assert_outcomes()
    assert judge.asked == []


def test_a_pattern_that_is_not_relative_is_wrong_usage(project: pytest.Pytester) -> None:
    project.makeini(
        "[pytest]\nedgecore_recordings = /recordings/*.jsonl\nasyncio_default_fixture_loop_scope = function\n"
    )
    result = run(project)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*edgecore_recordings: '/recordings/[*].jsonl' is no pattern relative to rootdir"])


def test_rules_beside_a_recording_count_unless_others_are_set(project: pytest.Pytester, judge: Judge) -> None:
    write(project, "recordings/rules.yaml", "{}")
    run(project)
    project.makeini("[pytest]\nedgecore_rules = mine.yaml\nasyncio_default_fixture_loop_scope = function\n")
    run(project)
    assert [rules for _, rules, _ in judge.asked] == [["rules.yaml"]] * 2 + [["mine.yaml"]] * 2


def test_the_fixture_finds_a_recording_beside_the_test_below_rootdir_and_among_the_recordings(
    project: pytest.Pytester, judge: Judge
) -> None:
    write(project, "tests/beside.jsonl", NOTE)
    project.makepyfile(
        **{
            "tests/test_it": """
            import pytest

            @pytest.mark.parametrize("name", ["beside.jsonl", "recordings/good.jsonl", "good.jsonl"])
            def test_it(edgecore_replay, name):
                assert edgecore_replay(name).is_equal
            """
        }
    )
    run(project, "tests").assert_outcomes(passed=3)
    assert [files for files, _, _ in judge.asked] == [["beside.jsonl"], ["good.jsonl"], ["good.jsonl"]]


def test_the_fixture_passes_on_what_came_before_rules_and_options(project: pytest.Pytester, judge: Judge) -> None:
    project.makepyfile(
        """
        def test_it(edgecore_replay):
            edgecore_replay("good.jsonl", after=["recordings/good.jsonl"], rules=["mine.yaml"], speed=2.0)
        """
    )
    run(project, "--deselect", "recordings").assert_outcomes(passed=1, deselected=2)
    assert judge.asked == [(["good.jsonl", "good.jsonl"], ["mine.yaml"], {"speed": 2.0})]


def test_paths_may_be_words_and_who_asks_for_a_speed_gets_no_virtual_time(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ReplayOptions] = []

    async def replay_and_judge(wanted: ReplayOptions, _rules: object) -> list[Verdict]:
        asked.append(wanted)
        return [Verdict(recording="good")]

    monkeypatch.setattr(judged, "replay_and_judge", replay_and_judge)
    project.makepyfile(
        """
        def test_it(edgecore_replay):
            edgecore_replay("good.jsonl", db="of/edgecore.db")
            edgecore_replay("good.jsonl", speed=2.0)
        """
    )
    run(project, "--deselect", "recordings").assert_outcomes(passed=1, deselected=2)
    assert [(one.db, one.speed, one.virtual_time) for one in asked] == [
        (Path("of/edgecore.db"), math.inf, True),
        (None, 2.0, False),
    ]


@pytest.mark.usefixtures("judge")
def test_the_fixture_fails_the_test_with_the_report_and_only_where_it_is_to(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_that_fails(edgecore_replay):
            edgecore_replay("bad.jsonl")

        def test_that_fails_before(edgecore_replay):
            edgecore_replay("good.jsonl", after=["bad.jsonl"])

        def test_that_looks_itself(edgecore_replay):
            verdict = edgecore_replay("bad.jsonl", check=False)
            assert [one.path for one in verdict.differences] == ["content.Status.phase"]

        def test_without_a_recording(edgecore_replay):
            edgecore_replay("torn.jsonl")
        """
    )
    result = run(project, "test_the_fixture_fails_the_test_with_the_report_and_only_where_it_is_to.py")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["*content.Status.phase*", "cannot read recording torn.jsonl: it is torn"])
    assert "Traceback" not in result.stdout.str()


def test_a_test_that_is_asynchronous_may_use_the_fixture(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replay_and_judge(wanted: dict[str, Any], _rules: object) -> list[Verdict]:
        return [Verdict(recording=wanted["files"][-1].stem)]

    monkeypatch.setattr(judged, "replay_and_judge", replay_and_judge)
    monkeypatch.setattr(options, "ReplayOptions", dict)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.asyncio
        async def test_it(edgecore_replay):
            assert edgecore_replay("good.jsonl").recording == "good"
        """
    )
    run(project, "--deselect", "recordings").assert_outcomes(passed=1, deselected=2)
