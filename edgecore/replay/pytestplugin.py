"""The pytest plugin: the fixture ``edgecore_replay``, and recordings that are tests (``docs/how-to/replay.md``).

It is loaded with every run of pytest in an environment where this package is installed: before a recording is replayed
it imports nothing of the package, and it looks at one folder, whether there are any.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr  # what the method below may return

    from edgecore.verdict.verdict import Verdict

PATTERNS = ("recordings/*.jsonl*",)
SUFFIXES = frozenset({".jsonl", ".gz", ".zst"})
"""What is found by ``PATTERNS`` and ends otherwise is an editor's copy, or notes about a recording."""
_COLLECTED = pytest.StashKey[frozenset[Path]]()


class EdgecoreReplay(Protocol):
    """The type of the fixture ``edgecore_replay``."""

    def __call__(
        self,
        file: str | Path,
        *,
        after: Sequence[str | Path] = (),
        rules: Sequence[str | Path] = (),
        check: bool = True,
        **options: Any,
    ) -> "Verdict":
        """Replay ``file`` to a node of its own, and return the verdict; one that is "different" fails the test.

        A relative path begins beside the test, or else in the folder of recordings. ``after`` are recordings that the
        same node lives through before; ``rules`` are files of further rules. ``check=False`` only returns the verdict.
        ``map="node=…,namespace=…"`` is that of ``edgecore replay``. The rest are fields of ``ReplayOptions``:
        ``speed=1.0``, ``dns=("web.default",)``, ``seed=7`` … As on the command line, a node to which a ``speed`` is
        given does not live in the recording's time.
        """


class DifferentError(AssertionError):
    """Our node did not do what was recorded; the text is the report for people."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the settings known."""
    parser.addini(
        "edgecore_recordings",
        "recordings that are replayed as tests: patterns, relative to rootdir and to each of testpaths "
        f"(default: {' '.join(PATTERNS)}, where they are recordings of edgecore); empty: none",
        type="args",
        default=list(PATTERNS),
    )
    parser.addini(
        "edgecore_rules",
        "files of rules for what may differ from recordings (default: rules.yaml beside a recording, if it is there)",
        type="paths",
        default=[],
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find the recordings; where ``testpaths`` say what is collected, their folders are collected too."""
    found = frozenset(_found(_bases(config), config.getini("edgecore_recordings")))
    config.stash[_COLLECTED] = found
    source = getattr(config, "args_source", None)  # pytest before 7.2 does not say
    if source is not None and source.name == "TESTPATHS":
        inside = [Path(argument).resolve() for argument in config.args]
        folders = sorted({path.parent for path in found})
        config.args += [str(one) for one in folders if not any(one.is_relative_to(path) for path in inside)]


def _bases(config: pytest.Config) -> list[Path]:
    return [config.rootpath, *(config.rootpath / path for path in config.getini("testpaths"))]


def _found(bases: Iterable[Path], patterns: Sequence[str]) -> Iterator[Path]:
    """Yield the files that ``patterns`` mean; of those that nobody named, only what is a recording."""
    for pattern in patterns:
        if not pattern or Path(pattern).is_absolute():
            raise pytest.UsageError(f"edgecore_recordings: {pattern!r} is no pattern relative to rootdir")
    for base in bases:
        for pattern in patterns:
            for path in base.glob(pattern):
                if path.is_file() and (tuple(patterns) != PATTERNS or _is_recording(path)):
                    yield path.resolve()


def _is_recording(path: Path) -> bool:
    # Not before there is such a folder: whoever has this package installed loads this file with every run of pytest.
    from edgecore.errors import ContentError  # noqa: PLC0415
    from edgecore.recording.reader import read_entries  # noqa: PLC0415

    if path.suffix not in SUFFIXES:
        return False
    try:
        return next(iter(read_entries(path)), None) is not None
    except ContentError:
        return False


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "RecordingFile | None":
    """Collect a recording."""
    if file_path.resolve() in parent.config.stash[_COLLECTED]:
        return RecordingFile.from_parent(parent, path=file_path)
    return None


class RecordingFile(pytest.File):
    """A recording as a file of one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the test."""
        yield RecordingItem.from_parent(self, name="replay")


class RecordingItem(pytest.Item):
    """The replay of one recording by itself."""

    def runtest(self) -> None:
        """Replay it; raises ``DifferentError``."""
        verdicts = _judged([self.path], _rules(self.config, self.path, ()), {})
        if text := _differing(verdicts):
            raise DifferentError(text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> "str | TerminalRepr":
        """Return the report for people, and of an error of ours its text."""
        from edgecore.errors import EdgecoreError  # noqa: PLC0415

        if isinstance(excinfo.value, DifferentError | EdgecoreError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """See ``pytest.Item``."""
        return self.path, None, f"replay of {self.path.name}"


@pytest.fixture
def edgecore_replay(request: pytest.FixtureRequest) -> EdgecoreReplay:
    """``edgecore_replay("file.jsonl")``: replay a recording to a node, and fail where it does not do what it did."""

    def replay(
        file: str | Path,
        *,
        after: Sequence[str | Path] = (),
        rules: Sequence[str | Path] = (),
        check: bool = True,
        **options: Any,
    ) -> "Verdict":
        from edgecore.errors import EdgecoreError  # noqa: PLC0415

        __tracebackhide__ = True
        try:
            paths = [_place(request, one) for one in (*after, file)]
            more = [_place(request, one) for one in rules]
            verdicts = _judged(paths, _rules(request.config, paths[-1], more), options)
        except EdgecoreError as error:
            pytest.fail(str(error), pytrace=False)
        if check and (text := _differing(verdicts)):
            pytest.fail(text, pytrace=False)
        return verdicts[-1]

    return replay


def _place(request: pytest.FixtureRequest, file: str | Path) -> Path:
    """Return where ``file`` lies: beside the test, below rootdir, or among the recordings that are tests."""
    places = [request.path.parent / file, request.config.rootpath / file]
    places += sorted(path for path in request.config.stash[_COLLECTED] if path.name == str(file))
    return next((path for path in places if path.is_file()), places[0])


def _rules(config: pytest.Config, recording: Path, more: Sequence[Path]) -> list[Path]:
    beside = recording.with_name("rules.yaml")
    return [*more, *(config.getini("edgecore_rules") or ([beside] if beside.is_file() else []))]


def _judged(files: Sequence[Path], rules: Sequence[Path], options: dict[str, Any]) -> "list[Verdict]":
    """Replay ``files`` to one node; of ``options`` those that ``ReplayOptions`` does not have are made ones it has."""
    from edgecore.replay.judged import replay_and_judge  # noqa: PLC0415
    from edgecore.replay.mapping import parse_mapping  # noqa: PLC0415
    from edgecore.replay.options import ReplayOptions  # noqa: PLC0415
    from edgecore.verdict.rulesfile import read_rules  # noqa: PLC0415

    if "map" in options:
        options = {**options, "mapping": parse_mapping((options["map"],))}
        del options["map"]
    paths = {name: Path(options[name]) for name in ("config", "db", "directory") if options.get(name)}
    wanted = ReplayOptions(files=tuple(files), **{"virtual_time": "speed" not in options, **options, **paths})
    known = read_rules(rules)
    return _in_a_loop(lambda: asyncio.run(replay_and_judge(wanted, known)))


def _in_a_loop(work: "Callable[[], list[Verdict]]") -> "list[Verdict]":
    """Do ``work``, which runs an event loop; in another thread where one runs in this one (an ``async`` test)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _differing(verdicts: "Sequence[Verdict]") -> str:
    """Return the report of what differs; nothing where all is equal."""
    wrong = [verdict for verdict in verdicts if not verdict.is_equal]
    if not wrong:
        return ""
    from edgecore.verdict.report import report  # noqa: PLC0415

    return report(wrong, colour=False)
