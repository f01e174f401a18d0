"""``edgecore replay``: recordings played to a node of their own, and the verdict."""

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecore.cli.recordings.flags import FILTERS_HELP, PLACES_HELP, add_flags, selection_of
from edgecore.cli.replay_screen import Screen, Steps
from edgecore.cli.verdict_report import COULD_NOT, EQUAL, EXIT_CODES, add_verdict_flags, rules_of, tell
from edgecore.errors import ContentError, EdgecoreError
from edgecore.observe.logs import LEVELS, configure_logging
from edgecore.recording.session import begins_within
from edgecore.recording.writer import open_writer
from edgecore.replay.judged import verdicts_of
from edgecore.replay.mapping import parse_mapping
from edgecore.replay.options import ReplayOptions
from edgecore.replay.replayed import Replayed
from edgecore.replay.run import read_recording, replay
from edgecore.verdict.rules import Rules
from edgecore.verdict.verdict import Verdict

_DESCRIPTION = """\
Play recorded sessions to a node of their own, and say whether it does what was
recorded. The node is whole, but nothing leaves the process: its cloud is the
recording, its broker is in memory, nobody reaches its services. It has a directory
of its own, which is gone afterwards. Several recordings are the life of one node,
in the order given. What a recorded node had in its database when the recording
began comes from recordings before (--after), or from a database (--db).

By default everything goes as fast as it can, and the node lives in the recording's
time: an hour passes in seconds, and the same replay gives the same bytes twice.

The verdict compares by meaning what the node sent with what the recorded one sent;
if our node recorded it, also what it knew at the end, and what it published."""

_EPILOG = f"""\
{PLACES_HELP}

{FILTERS_HELP}

{EXIT_CODES}

examples:
  edgecore replay session.jsonl
      does our node still do what it did?
  edgecore replay morning.jsonl noon.jsonl --junit verdict.xml
      one life in two recordings; the verdict for a CI
  edgecore replay deletes.jsonl --after connect.jsonl services.jsonl
      a recording that begins in the middle: the node lives through others before
  edgecore replay session.jsonl --step
      one entry for each press of Enter
  edgecore replay session.jsonl --from note:deploy --filter 'resource=*/service/*'
      a part of it
  edgecore replay session.jsonl --output ours.jsonl --dns web.default
      keep what our node did, as a session"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "replay",
        help="play recorded sessions to a node of their own, and judge what it does",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a recording: .jsonl, .gz, .zst, .mcap")
    _add_node_flags(parser)
    _add_time_flags(parser)
    add_flags(parser)
    _add_session_flags(parser)
    add_verdict_flags(parser)
    parser.set_defaults(run=run)


def _add_node_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the recorded node's edgecore.yaml, if not defaults"
    )
    parser.add_argument(
        "--after",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="recordings that the node lives through before; they are not judged",
    )
    parser.add_argument("--db", type=Path, metavar="FILE", help="begin with a copy of this database")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="keep what the node has there, edgecore.db too")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="node=NAME, namespace=OLD:NEW or ADDRESS=ADDRESS; several with commas",
    )
    parser.add_argument("--dns", action="append", default=[], metavar="NAME", help="ask for this name at the end, too")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of ids and choices (default: %(default)s)")
    parser.add_argument("--log-level", default="error", choices=LEVELS, help="of the node (default: %(default)s)")


def _add_time_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed", type=_speed, default=math.inf, metavar="FACTOR", help="1 as recorded, or max (default: max)"
    )
    parser.add_argument("--step", action="store_true", help="play an entry at each Enter; q and Enter ends")
    parser.add_argument(
        "--virtual-time",
        action=argparse.BooleanOptionalAction,
        help="let the node live in the recording's time (default: at --speed max, and with --step)",
    )
    parser.add_argument("--shift-time", action="store_true", help="move the recording's times to now")
    parser.add_argument("--loop", type=_count, default=1, metavar="N", help="play it N times, each to a new node")


def _add_session_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with this one, not with what is played")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write what our node did; a folder for several")


def _speed(text: str) -> float:
    speed = math.inf if text == "max" else float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0; expected a factor such as 1 or 10, or max")
    return speed


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return count


def run(args: argparse.Namespace) -> int:
    """Replay, print the verdict, and return the exit code."""
    try:
        return _run(args)
    except EdgecoreError as error:
        sys.stderr.write(f"edgecore: {error}\n")
        return COULD_NOT
    except BrokenPipeError:
        raise
    except OSError as error:  # of the file for JUnit, mostly
        sys.stderr.write(f"edgecore: cannot go on with the replay: {error}\n")
        return COULD_NOT


def _run(args: argparse.Namespace) -> int:
    configure_logging(args.log_level, "auto")
    options, rules = _options(args), rules_of(args)
    if args.against is not None and len(options.files) > 1:
        raise ContentError(f"cannot compare {len(options.files)} recordings with one: play one with --against")
    screen = Screen(sys.stderr)
    try:
        replayed = asyncio.run(_played(options, rules, screen))
    finally:
        screen.clear()
    verdicts = _judged(replayed, rules, args.against)
    wanted = [one for one in replayed if not one.is_before]
    if args.output is not None:
        _write(args.output, wanted)
    code = tell(verdicts, args)
    if not args.json:
        _tell_pace(wanted, is_equal=code == EQUAL)
        if code != EQUAL and options.db is None and not options.after and begins_within(wanted[0].recording.entries):
            print(f"{wanted[0].name}: begins in the middle; what the node knew before is missing (--db, --after)")
    return code


async def _played(options: ReplayOptions, rules: Rules, screen: Screen) -> list[Replayed]:
    if not options.step:
        return await replay(options, screen.tell, is_alone=rules.is_recorded_alone)
    with Steps(sys.stdin, sys.stderr) as steps:
        return await replay(options, is_alone=rules.is_recorded_alone, go_on=steps.go_on)


def _options(args: argparse.Namespace) -> ReplayOptions:
    is_virtual = args.virtual_time
    return ReplayOptions(
        files=tuple(args.files),
        after=tuple(args.after),
        config=args.config,
        db=args.db,
        directory=args.directory,
        speed=args.speed,
        step=args.step,
        virtual_time=args.step or math.isinf(args.speed) if is_virtual is None else is_virtual,
        selection=selection_of(args),
        mapping=parse_mapping(tuple(args.map)),
        loop=args.loop,
        shift_time=args.shift_time,
        dns=tuple(args.dns),
        seed=args.seed,
    )


def _judged(replayed: Sequence[Replayed], rules: Rules, against: Path | None) -> list[Verdict]:
    if against is not None:
        recording = read_recording(against)
        replayed = [one if one.is_before else one._replace(recording=recording) for one in replayed]
    return verdicts_of(replayed, rules)


def _write(output: Path, replayed: Sequence[Replayed]) -> None:
    """Write each session of ours."""
    if len(replayed) == 1:
        places = [output]
    else:
        _make_folder(output)
        seen = [one.name for one in replayed]
        places = [
            output / (f"{name}.jsonl" if seen.count(name) == 1 else f"{name}.{number}.jsonl")
            for number, name in enumerate(seen, 1)
        ]
    for one, place in zip(replayed, places, strict=True):
        with open_writer(place, "over") as writer:
            for entry in one.ours:
                writer.write(entry)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = f"{error.strerror or error}; several sessions are written into a folder"
        raise ContentError(f"cannot write {path}: {reason}") from error


def _tell_pace(replayed: Sequence[Replayed], *, is_equal: bool) -> None:
    messages, took_s = sum(len(one.sent) for one in replayed), sum(one.took_s for one in replayed)
    print(f"\nplayed {messages} messages of the cloud in {took_s:.2f} s")
    for one in replayed:
        if one.missing:
            print(f"{one.name}: not sent in time: {len(one.missing)}, the first: {one.missing[0]}")
        if one.lost:
            print(f"{one.name}: {len(one.lost)} messages of the cloud went into a connection that was cut")
        if one.is_without_devices and not is_equal:
            print(f"{one.name}: what devices said was not recorded (edgecore run --record-kinds default,mqtt)")
