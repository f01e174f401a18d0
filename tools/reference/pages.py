"""Which pages there are, and where they are kept."""

from collections.abc import Callable
from pathlib import Path

from cloudhub_stub.cli import PROGRAM as STUB
from edgecore import __version__
from edgecore.cli import PROGRAM as NODE
from edgecore.config.reference import reference
from edgecore.control.commands import command_tree
from edgecore.control.manual import man_page, markdown_page
from edgecore.control.program import Program
from tools.reference.logevents import log_events_page
from tools.reference.messages import messages_page
from tools.reference.metrics import metrics_page
from tools.reference.sources import ROOT, Sources

SETTINGS = Path("docs/reference/settings.md")
_SETTINGS_BEGIN = "\n## Reference\n"


def _commands(program: Program) -> Callable[[Sources], str]:
    return lambda _sources: markdown_page(command_tree(program), __version__)


def _manual(program: Program) -> Callable[[Sources], str]:
    return lambda _sources: man_page(command_tree(program), __version__)


def _settings(_sources: Sources) -> str:
    """Return what people wrote, up to the heading, and the settings of the schema."""
    written = (ROOT / SETTINGS).read_text("utf-8").partition(_SETTINGS_BEGIN)[0]
    return f"{written}{_SETTINGS_BEGIN}\n{reference()}"


PAGES: dict[Path, Callable[[Sources], str]] = {
    Path("docs/reference/cli.md"): _commands(NODE),
    Path("docs/reference/cloudhub-stub.md"): _commands(STUB),
    Path("docs/reference/metrics.md"): metrics_page,
    Path("docs/reference/log-events.md"): log_events_page,
    Path("docs/reference/messages.md"): messages_page,
    SETTINGS: _settings,
    Path("packaging/man/edgecore.1"): _manual(NODE),
    Path("packaging/man/cloudhub-stub.1"): _manual(STUB),
}
