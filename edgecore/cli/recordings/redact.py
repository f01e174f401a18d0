"""``edgecore recording redact``: a recording without its secrets."""

import argparse
from pathlib import Path

from edgecore.cli.recordings.files import Inputs, add_output_flags, input_file, write_all
from edgecore.control.help_text import HelpText
from edgecore.errors import RecordingError
from edgecore.ids import random_key
from edgecore.recording.editing.streams import changed
from edgecore.recording.redaction import Redactor

_DESCRIPTION = """\
Replace the secrets in a recording: the data of Secrets, tokens, passwords, private keys,
Authorization. What was equal stays equal, and a replay still works. The key under which
pseudonyms are made is kept nowhere. A session that the node recorded was redacted then."""

_EPILOG = """\
exit code: 0 done, 1 could not (no such file, no recording, the output exists)

examples:
  edgecore recording redact session.jsonl -o session-to-share.jsonl.zst
  edgecore recording redact session.jsonl --known my-secrets -o session-to-share.jsonl
      also what stands in my-secrets, one a line, wherever it occurs"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "redact",
        help="replace secrets by pseudonyms",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verb.add_argument("file", type=input_file, metavar="FILE", help="the recording; - is standard input")
    verb.add_argument("--known", type=Path, metavar="FILE", help="secrets to replace wherever they occur, one a line")
    add_output_flags(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write it, and return the exit code."""
    redactor = Redactor(random_key(), _known(args.known))
    inputs = Inputs("redacting")
    lines = changed(args.file, inputs.read(args.file), redactor.entry)
    write_all(lines, args.output, inputs, force=args.force)
    return 0


def _known(path: Path | None) -> list[str]:
    try:
        return [] if path is None else [line for line in path.read_text("utf-8").splitlines() if line]
    except (OSError, UnicodeError) as error:
        raise RecordingError(f"cannot read secrets {path}: {getattr(error, 'strerror', None) or error}") from error
