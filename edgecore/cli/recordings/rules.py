"""``edgecore recording rules``: by which rules a replay is judged."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgecore.cli.verdict_report import rules_of
from edgecore.control.columns import Columns
from edgecore.control.help_text import HelpText
from edgecore.verdict.checks import EVERY
from edgecore.verdict.rules import Known, Rules, Volatile

_DESCRIPTION = """\
List the rules by which a replay is judged: fields that are looked at by a check instead of
compared; differences between the Go edgecore and our node that are on purpose, each under
the id of its line in docs/fidelity.md; kinds of messages that come at a pace of their own;
what is not looked at. All else is compared, by value and by type."""

_EPILOG = """\
Rules of one's own lie in a YAML file, which `edgecore replay`, `edgecore recording compare`
and this command take with --rules. They are added to those of this program:

  checks:                        # further checks: a name, and what a text has to match
    serial: SN-\\d+
  volatile:                      # fields that are not compared; both sides keep to the check
    - kind: twin                 # or a list of kinds, "row pod" for rows, "*" for any
      field: content.twin.serial.actual.value    # [*] any element, * any key, ** any path
      check: serial
      why: each device has its own
  known:                         # differences that are on purpose
    - ledger: TEAM-17            # how the verdict names it
      kind: pod status
      field: content.Status.phase
      recorded: text             # the check for the recorded value, and for ours
      ours: nothing
    - ledger: TEAM-18
      kind: keepalive
      field: message             # a whole message that one side alone sends
      side: ours                 # ours or recorded
  not_compared:
    - kind: mqtt
      resource: debug/*          # of MQTT, the topic
      why: nobody reads it

examples:
  edgecore recording rules
  edgecore recording rules --rules ours.yaml --json | jq '.known[] | select(.ledger == "ED5")'

exit code: 0 listed, 1 a file of --rules cannot be read or has a fault, 2 wrong usage"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "rules",
        help="list the rules and known differences by which a replay is judged",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", action="append", default=[], help="list those of this file too"
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the rules, and return the exit code. Raises ``ConfigError``."""
    rules = rules_of(args)
    print(json.dumps(_document(rules), indent=2) if args.json else _text(rules))
    return 0


def _text(rules: Rules) -> str:
    fields = [(_joined(one.kinds), field, one.check.name, one.why) for one in rules.volatile for field in one.fields]
    known = [(one.ledger, _joined(one.kinds), field, _said(one)) for one in rules.known for field in one.fields]
    paced = [(one.kind, "may be absent" if one.is_optional else "", one.why) for one in rules.paced]
    left_out = [(one.kind, one.resource, one.why) for one in rules.uncompared]
    checks = {one.check.name: one.check for one in rules.volatile}
    checks |= {one.name: one for rule in rules.known for one in (rule.recorded, rule.ours) if one is not None}
    meanings = [(one.name, one.means) for _, one in sorted(checks.items())]
    return "\n\n".join(
        (
            _table("Not compared, but looked at by a check", ("KIND", "FIELD", "CHECK", "WHY"), fields),
            _table("Known differences", ("LEDGER", "KIND", "FIELD", "RECORDED AND OURS"), known),
            _table("At a pace of their own: compared by what they say, not by number", ("KIND", "", "WHY"), paced),
            _table("Not looked at", ("KIND", "ABOUT", "WHY"), left_out),
            _table("Checks", ("CHECK", "ACCEPTS"), meanings),
        )
    )


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def _said(one: Known) -> str:
    if one.recorded is not None and one.ours is not None:
        return f"{one.recorded.name} -> {one.ours.name}"
    if one.side is None:
        return ""
    about = "" if one.resource == EVERY else f" about {one.resource}"
    where = "" if one.recording == EVERY else f", in {one.recording}"
    return f"{one.side} alone{about}{' that says nothing new' if one.is_unchanged else ''}{where}"


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = Columns().lines([heads, *rows]) if rows else ["none"]
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def _document(rules: Rules) -> dict[str, Any]:
    return {
        "volatile": [_volatile(one) for one in rules.volatile],
        "known": [_known(one) for one in rules.known],
        "paced": [one._asdict() for one in rules.paced],
        "not_compared": [one._asdict() for one in rules.uncompared],
    }


def _volatile(one: Volatile) -> dict[str, Any]:
    return {"kinds": one.kinds, "fields": one.fields, "check": one.check.name, "why": one.why}


def _known(one: Known) -> dict[str, Any]:
    return {
        **one._asdict(),
        "recorded": one.recorded.name if one.recorded else None,
        "ours": one.ours.name if one.ours else None,
    }
