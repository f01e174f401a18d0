"""The pytest plugin: the fixtures ``cloud`` and ``start_cloud``, and the marker ``edges`` (``docs/how-to/testing.md``).

It is loaded with every run of pytest in an environment where this package is installed, so it imports nothing of the
package before a fixture is used.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cloudhub_stub.testing.cloud import Cloud

_LOGS = pytest.StashKey[Path]()
_MAX_LOG_CHARACTERS = 8000
_MARKER = "edges(number_or_names): how many edge nodes the fixture cloud starts, or their names"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def start_cloud(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Callable[..., Cloud]]":
    """``start_cloud(...)``: a cloud in a temporary directory, started as ``Cloud.start`` does; stopped after the test.

    It takes the keyword arguments of ``Cloud.start``.
    """
    # Not before it is needed: whoever has this package installed loads this file with every run of pytest.
    from cloudhub_stub.testing.cloud import Cloud  # noqa: PLC0415

    with ExitStack() as running:
        directories = (tmp_path / f"cloud-{number}" for number in range(1, 1000))

        def start(**options: Any) -> "Cloud":
            directory = next(directories)
            directory.mkdir()
            request.node.stash.setdefault(_LOGS, tmp_path)
            return running.enter_context(Cloud.start(directory, **options))

        yield start


@pytest.fixture
def cloud(request: pytest.FixtureRequest, start_cloud: "Callable[..., Cloud]") -> "Cloud":
    """A cloud on free ports in a temporary directory, with the edges that the marker ``edges`` asks for, all ready."""
    marker = request.node.get_closest_marker("edges")
    return start_cloud(edges=wanted(marker) if marker is not None else 0)


def wanted(marker: pytest.Mark) -> int | tuple[str, ...]:
    """Return the number or the names. Raises ``pytest.UsageError``."""
    match marker.args:
        case (int(number),) if number >= 0 and not marker.kwargs:
            return number
        case (str(), *_) if all(isinstance(name, str) for name in marker.args) and not marker.kwargs:
            return marker.args
    raise pytest.UsageError(f'write @pytest.mark.edges(2) or @pytest.mark.edges("north", "south"), not {marker}')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, with a test that failed, the ends of the logs of its cloud and edges."""
    report = yield
    directory = item.stash.get(_LOGS, None)
    if directory is not None and report.failed:
        for log in sorted(directory.glob("cloud-*/**/*.log")):
            report.sections.append((f"log {log.relative_to(directory)}", _end_of(log)))
    return report


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-_MAX_LOG_CHARACTERS:]
