"""The table at the end of a run: what was compared with the recordings, and what came of it."""

from collections.abc import Callable

import pytest

from edgecore.verdict.verdict import Verdict

_TABLE = pytest.StashKey[dict[str, str]]()
_ROW = "{:46} {:>8} {:>6} {:>9} {:>8} {:>11}  {}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = {}


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str, Verdict], None]:
    """``report(heading, comparison)``: put a line into the table."""

    def add(heading: str, one: Verdict) -> None:
        named = ", ".join(f"{line}: {count}" for line, count in sorted(one.used.items())) or "none"
        request.config.stash[_TABLE][heading] = _ROW.format(
            heading,
            one.compared.total(),
            one.equal.total(),
            one.explained.total(),
            one.repeated,
            len(one.differences),
            named,
        )

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash.get(_TABLE, {})
    if table:
        terminalreporter.section("compared with the recordings of KubeEdge 1.3.1")
        terminalreporter.line(
            _ROW.format("recording", "compared", "equal", "explained", "repeated", "unexplained", "named")
        )
        for _, line in sorted(table.items()):
            terminalreporter.line(line)
