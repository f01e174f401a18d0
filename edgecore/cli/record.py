"""``edgecore record``: have the running node record what passes it, and see what was recorded."""

import argparse
import json
from pathlib import Path
from typing import Any

from edgecore.cli.meter import Meter
from edgecore.cli.recordflags import KINDS_HELP
from edgecore.cli.target import add_target, client_of
from edgecore.control.columns import one_line
from edgecore.control.help_text import HelpText
from edgecore.errors import EdgecoreError
from edgecore.recording.kinds import words_of
from edgecore.store.backup import back_up

NOTHING = 3
"""The exit code of ``status`` when nothing is recorded, or a recording ended by itself."""

_DESCRIPTION = """\
Record what passes the running node into a file: frames of the link to the cloud, to the
byte, and what becomes of its connections; on demand also the messages between modules,
MQTT, commits, DNS and proxied requests. Each entry says which ones it follows from.
Secrets are replaced by pseudonyms. The file can be played to a node again: edgecore
replay. A node can also record from its start: edgecore run --record FILE."""

_EPILOG = """\
exit code:
  0  done
  1  could not: the file exists or cannot be written, something is recorded already
     (start), nothing is (stop, note), the node cannot be reached
  2  wrong usage
  3  status: nothing is recorded, or the file could not be written any more

examples:
  edgecore record start session.jsonl.zst --config edgecore.yaml
      begin; the file must not be there yet, and belongs to the node's user
  edgecore record start /var/lib/kubeedge/sessions --kinds all --control edgecore.sock
      everything, into a new file in that folder
  edgecore record note "cable pulled" --config edgecore.yaml
      words in the time line, to cut or replay from there: --from 'note:cable pulled'
  edgecore record status --config edgecore.yaml
      how many entries and bytes, and how many were lost
  edgecore record stop --config edgecore.yaml
      end it, with all that the node knows as the last entry

Each verb explains itself: edgecore record start --help. All of it: docs/how-to/recording.md"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "record",
        help="record what passes the running node into a file, for replay and for people",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    start = _add_verb(
        verbs,
        "start",
        "begin a recording",
        "examples:\n  edgecore record start session.jsonl --config edgecore.yaml\n"
        "  edgecore record start session.jsonl.zst --kinds default,bus,dns --config edgecore.yaml\n"
        "  edgecore record start session.jsonl --database was.db --config edgecore.yaml\n"
        "      and later: edgecore replay session.jsonl --db was.db\n\n"
        "exit code: 0 begun, 1 could not (the file is there, something is recorded already), 2 wrong usage",
    )
    start.add_argument("file", type=Path, metavar="FILE", help="a file that is not there yet, or a folder")
    start.add_argument("--kinds", default="default", metavar="KINDS", help=KINDS_HELP)
    start.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        help="also copy the node's database as it is now, for edgecore replay --db FILE; secrets stay in it",
    )
    start.add_argument("--secrets", action="store_true", help="write secrets as they are (default: pseudonyms)")
    start.set_defaults(run=begin)
    stop = _add_verb(
        verbs,
        "stop",
        "end the recording",
        "example:\n  edgecore record stop --config edgecore.yaml\n\n"
        "exit code: 0 ended, 1 nothing is recorded, or the node cannot be reached",
    )
    stop.set_defaults(run=end)
    status = _add_verb(
        verbs,
        "status",
        "show how the recording is",
        "exit code: 0 it is on, 3 it is not, 1 the node cannot be reached\n\n"
        "example:\n  edgecore record status --config edgecore.yaml --json | jq .lost",
    )
    status.set_defaults(run=show)
    note = _add_verb(
        verbs,
        "note",
        "put words into the recording",
        'example:\n  edgecore record note "service deleted" --config edgecore.yaml\n\n'
        "exit code: 0 done, 1 nothing is recorded, or the node cannot be reached",
    )
    note.add_argument("text", metavar="TEXT", help="what is to stand there")
    note.set_defaults(run=make_note)


def _add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, epilog: str
) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    verb = verbs.add_parser(name, help=summary, description=description, epilog=epilog, formatter_class=HelpText)
    add_target(verb)
    verb.add_argument("--json", action="store_true", help="print the answer as JSON")
    return verb


def begin(args: argparse.Namespace) -> int:
    """Begin a recording."""
    wish = {"path": str(args.file.absolute()), "kinds": args.kinds, "redact": not args.secrets}
    client = client_of(args)
    told = client.post("/v1/recording/start", wish)
    if args.database is not None:
        try:
            _keep_database(Path(client.get("/v1/status")["store"]["path"]), args.database.absolute())
        except EdgecoreError:
            client.post("/v1/recording/stop", {})  # without what it begins with it is not what was asked for
            raise
    _told(args, told)
    if args.database is None and not args.json:
        print("what the node knows already is not in it: --database FILE keeps that for a replay")
    return 0


def _keep_database(path: Path, target: Path) -> None:
    meter = Meter("copying")
    try:
        back_up(path, target, meter.tell)
    finally:
        meter.end()


def end(args: argparse.Namespace) -> int:
    """End the recording."""
    return _told(args, client_of(args).post("/v1/recording/stop", {}))


def show(args: argparse.Namespace) -> int:
    """Show how the recording is."""
    told = client_of(args).get("/v1/recording")
    _told(args, told)
    return 0 if told.get("recording") else NOTHING


def make_note(args: argparse.Namespace) -> int:
    """Put words into the recording."""
    return _told(args, client_of(args).post("/v1/recording/note", {"text": args.text}))


def _told(args: argparse.Namespace, told: dict[str, Any]) -> int:
    print(json.dumps(told, indent=2) if args.json else report(told))
    return 0


def report(told: dict[str, Any]) -> str:
    """Return the state of a recording as text."""
    if "path" not in told:
        return "nothing is recorded, and nothing was since the node started"
    state = "recording into" if told.get("recording") else "ended:"
    error = [f"failed: {told['error']}"] if told.get("error") else []
    lost = told.get("lost", 0)
    counts = f"entries {told.get('entries')}, bytes {told.get('bytes')}, lost {lost}, waiting {told.get('waiting')}"
    secrets = "pseudonyms" if told.get("redacted") else "as they are"
    kinds = f"kinds {', '.join(words_of(told.get('kinds', ())))}; secrets are {secrets}"
    return "\n".join(map(one_line, (f"{state} {told['path']}", *error, counts, kinds)))
