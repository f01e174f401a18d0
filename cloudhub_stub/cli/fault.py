"""``cloudhub-stub fault``: lets something go wrong in the running stub, on purpose and in the same way each time."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cli.values import count, seconds
from cloudhub_stub.faults.spec import DOWN, UP, FaultSpec, check
from cloudhub_stub.paths import FAULTS

_DESCRIPTION = """\
Let something go wrong in the running stub, on purpose: connections break, messages are
lost, doubled or late. Faults are counted, never random: the same messages fail in the
same places. What happened is in `fault list`, in the log and in the metrics."""

_EXIT_CODES = "exit code: 0 done, 1 could not (no stub, no such node, fault or file), 2 wrong usage"
_EPILOG = f"""\
{_EXIT_CODES}

examples:
  cloudhub-stub fault cut --node edge-1
      drop its TCP connection now, without a close frame
  cloudhub-stub fault cut --every 100
      ... after every 100 messages, of either direction
  cloudhub-stub fault half-open --node edge-1 --for 30
      30 seconds of silence on a connection that stays open, then cut
  cloudhub-stub fault drop --direction down --operation insert --resource '*/pod/*' --nth 3
      lose the third pod that is sent
  cloudhub-stub fault delay 0.5 --direction up
      half a second on the way to the cloud, for every message from now on
  cloudhub-stub fault restart --down 10
      the stub is away for 10 seconds
  cloudhub-stub fault list
  cloudhub-stub fault clear --all

A whole plan in a file: cloudhub-stub run --faults FILE; its form is in cloudhub_stub/faults/README.md.
Each fault explains itself: cloudhub-stub fault cut --help"""

_COUNTED = """\
Several that are given must all fit. Messages are counted from the moment of this command,
those of all nodes together unless --node names one."""
_OF_MESSAGES = f"Without any of these, every message.\n{_COUNTED}"
_OF_CONNECTIONS = f"""\
Without any of these it happens now, to every connection; with --node alone, to that node's.
{_COUNTED}"""

_COLUMNS = ("ID", "STATE", "MATCHED", "FIRED", "FAULT")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "fault",
        help="let something go wrong in the running stub",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    faults = parser.add_subparsers(title="faults", metavar="FAULT", required=True)
    _add_faults(faults)
    listing = _add(faults, "list", "list faults, how often they fired, and what fired last", _EXAMPLES["list"])
    listing.set_defaults(run=_list)
    clearing = _add(faults, "clear", "forget a fault, or all; what has begun goes on", _EXAMPLES["clear"])
    which = clearing.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="as `fault list` shows it")
    which.add_argument("--all", action="store_true", help="all faults, and what is left of the scenario")
    clearing.set_defaults(run=_clear)
    checking = _add(faults, "check", "check a scenario file, and say what it would do", _EXAMPLES["check"], asks=False)
    checking.add_argument("file", type=Path, metavar="FILE", help="the scenario, as for run --faults")
    checking.set_defaults(run=_check)


def table(view: dict[str, Any]) -> str:
    """Return ``GET /v1/faults`` for people."""
    lines = _columns([_COLUMNS, *map(_row, view["rules"])]) if view["rules"] else ["no faults"]
    if view["steps"]:
        lines += ["", "scenario:", *(f"  {s['step']}: {s['when']}: {s['text']} ({s['state']})" for s in view["steps"])]
    if view["half_open"]:
        lines += ["", f"half open now: {', '.join(view['half_open'])}"]
    if view["restarting"]:
        lines += ["", "away now: a restart is under way"]
    if view["counts"]:
        fired = ", ".join(f"{kind} {number}" for kind, number in view["counts"].items())
        lines += ["", f"fired since the start: {fired}"]
    return "\n".join(lines)


_EXAMPLES = {
    "cut": "cloudhub-stub fault cut --node edge-1\n  cloudhub-stub fault cut --after 20 --direction down",
    "half-open": "cloudhub-stub fault half-open\n  cloudhub-stub fault half-open --node edge-1 --for 30",
    "delay": "cloudhub-stub fault delay 2 --operation update --times 5",
    "drop": "cloudhub-stub fault drop --direction up --operation response --every 10",
    "duplicate": "cloudhub-stub fault duplicate --direction down --resource-regex '/(pod|service)/'",
    "refuse-certificate": "cloudhub-stub fault refuse-certificate --times 3",
    "expire-token": "cloudhub-stub fault expire-token",
    "restart": "cloudhub-stub fault restart --down 10",
    "list": "cloudhub-stub fault list\n  cloudhub-stub fault list --json | jq '.recent[-1]'",
    "clear": "cloudhub-stub fault clear f2\n  cloudhub-stub fault clear --all",
    "check": "cloudhub-stub fault check examples/faults/outage.yaml",
}


def _add_faults(faults: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    cut = _add(faults, "cut", "drop the TCP connection, without a close frame", _EXAMPLES["cut"])
    _add_messages(cut, "after the N-th message that fits", _OF_CONNECTIONS)
    half_open = _add(faults, "half-open", "let a connection fall silent without closing it", _EXAMPLES["half-open"])
    half_open.add_argument(
        "--for", dest="for_s", type=seconds, metavar="S", help="then cut it (default: stay so until the node is back)"
    )
    _add_messages(half_open, "after the N-th message that fits", _OF_CONNECTIONS)
    delay = _add(faults, "delay", "hand messages on later; what comes behind waits too, as in TCP", _EXAMPLES["delay"])
    delay.add_argument("delay_s", type=seconds, metavar="S", help="seconds")
    _add_messages(delay, "only the N-th message that fits")
    drop = _add(faults, "drop", "lose messages", _EXAMPLES["drop"])
    _add_messages(drop, "only the N-th message that fits")
    duplicate = _add(faults, "duplicate", "let messages arrive twice", _EXAMPLES["duplicate"])
    _add_messages(duplicate, "only the N-th message that fits")
    refuse = _add(faults, "refuse-certificate", "refuse who asks for one or has one", _EXAMPLES["refuse-certificate"])
    refuse.add_argument("--times", type=count, metavar="N", help="so often (default: 1)")
    _add(faults, "expire-token", "let the token for joining be expired", _EXAMPLES["expire-token"])
    restart = _add(faults, "restart", "close all listeners, drop everybody, and come back", _EXAMPLES["restart"])
    restart.add_argument("--down", dest="down_s", type=seconds, metavar="S", help="stay away so long (default: 0)")


def _add(
    faults: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    examples: str,
    *,
    asks: bool = True,
) -> argparse.ArgumentParser:
    parser = faults.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n  {examples}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if asks:
        add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=_inject, fault=name, usage_error=parser.error)
    return parser


def _add_messages(parser: argparse.ArgumentParser, nth: str, meaning: str = _OF_MESSAGES) -> None:
    """Add the flags that say which messages are meant."""
    group = parser.add_argument_group("which messages", meaning)
    group.add_argument("--node", metavar="NAME", help="of this node")
    group.add_argument("--direction", choices=(UP, DOWN), help="up: from the edge; down: to it")
    group.add_argument("--operation", metavar="WORD", help="insert, update, delete, query, response, keepalive, ...")
    group.add_argument("--resource", metavar="GLOB", help="the whole resource, such as 'default/pod/*'")
    group.add_argument("--resource-regex", metavar="REGEX", help="found somewhere in the resource")
    group.add_argument("--source", metavar="NAME", help="such as edged, edgecontroller")
    group.add_argument("--group", metavar="NAME", help="such as meta, resource")
    group.add_argument("--nth", "--after", dest="nth", type=count, metavar="N", help=nth)
    group.add_argument("--every", type=count, metavar="K", help="every K-th of them")
    group.add_argument("--times", type=count, metavar="M", help="at most so often; alone: the next M")


def _inject(args: argparse.Namespace) -> int:
    spec = _spec(args)
    for wrong in check(spec):
        args.usage_error(f"--{wrong.field}: {wrong.text}")
    rule: dict[str, Any] = client_of(args).post(FAULTS, msgspec.to_builtins(spec))
    _print(args, rule, lambda: f"{rule['id']}  {rule['text']}")
    return 0


def _spec(args: argparse.Namespace) -> FaultSpec:
    fields = {
        field.encode_name: value
        for field in msgspec.structs.fields(FaultSpec)
        if (value := getattr(args, field.name, None)) is not None
    }
    try:
        return msgspec.convert(fields, FaultSpec)
    except msgspec.ValidationError as error:
        args.usage_error(str(error))
        raise


def _list(args: argparse.Namespace) -> int:
    view: dict[str, Any] = client_of(args).get(FAULTS)
    _print(args, view, lambda: table(view))
    return 0


def _clear(args: argparse.Namespace) -> int:
    answer = client_of(args).delete(FAULTS, {"all": "true"} if args.all else {"id": args.id})
    _print(args, answer, lambda: f"cleared: {answer['cleared']}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from cloudhub_stub.faults.scenario import load_scenario  # noqa: PLC0415 - YAML is for this one alone
    from cloudhub_stub.faults.spec import describe  # noqa: PLC0415

    steps = [{"step": s.place, "when": str(s.when), "text": describe(s.fault)} for s in load_scenario(args.file)]
    _print(args, steps, lambda: "\n".join(f"{s['step']}: {s['when']}: {s['text']}" for s in steps))
    return 0


def _print(args: argparse.Namespace, value: Any, text: Callable[[], str]) -> None:
    print(json.dumps(value, indent=2) if args.json else text())


def _row(rule: dict[str, Any]) -> tuple[str, ...]:
    state = "waiting" if rule["live"] else "done"
    text = rule["text"] if rule["after"] is None else f"step: after {rule['after']}: {rule['text']}"
    return rule["id"], state, str(rule["matched"]), str(rule["fired"]), text


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
