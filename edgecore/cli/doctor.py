"""``edgecore doctor``: whether this machine is fit for a node, and what to do where it is not."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from edgecore.cli.target import is_there
from edgecore.clock import SystemClock
from edgecore.config.host import this_machine
from edgecore.config.load import DEFAULT_PATH
from edgecore.control.columns import one_line
from edgecore.doctor.examination import Examination, read_config
from edgecore.doctor.finding import Finding, count
from edgecore.doctor.machine import Machine
from edgecore.errors import HostFileError
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.resolver.resolvconf import take_out

PROBLEMS = 3
"""The exit code when there are problems."""

_DESCRIPTION = """\
Look at this machine with a node's eyes: how programs look names up (nsswitch.conf,
resolv.conf), forwarding, ports in use and by whom, fake IPs, the clock, libraries, the
limit of open files, certificates, the database, room on the disk; whether the cloud and
an MQTT broker answer; or at the node, if it runs: what it says of itself, and whether
its DNS answers. Each finding says what to do. Nothing is changed. No root,
no configuration and no running node are needed; root sees more."""

_EPILOG = """\
  ok       as it should be
  note     fine for a node; what it means is worth knowing
  warning  works, but not all of it, or not always
  problem  the node does not start, or what was asked of it cannot work

exit code: 0 no problems (there may be warnings), 3 problems, 1 could not, 2 wrong usage

examples:
  edgecore doctor
      the machine, for the configuration of the default path or all defaults
  edgecore doctor --config edgecore.yaml
      for the node of this configuration, running or not
  edgecore doctor --json | jq '.findings[] | select(.level == "problem")'
      for programs
  sudo edgecore doctor --fix-resolv-conf
      take out of resolv.conf what a node left that was killed (a start does that too)"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="look whether this machine is fit for a node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the configuration of the node (default: {DEFAULT_PATH}, if it is there)",
    )
    parser.add_argument(
        "--control", type=Path, metavar="SOCKET", help="the control socket of the node, if it is another"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the findings as JSON")
    form.add_argument(
        "--fix-resolv-conf",
        action="store_true",
        help="put back a resolv.conf that a killed node left changed; nothing else",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings, or mend the one file; return the exit code."""
    path = args.config or (DEFAULT_PATH if is_there(DEFAULT_PATH) else None)
    config, findings, given = read_config(path, this_machine())
    if args.fix_resolv_conf:
        print(put_back(Path(config.modules.edge_mesh.dns.resolv_conf)))
        return 0
    is_configured = findings[0].level == "ok"
    examination = Examination(Machine(), config, SystemClock(), args.control, is_configured=is_configured, given=given)
    findings += examination.findings()
    counts = count(findings)
    if args.json:
        print(json.dumps({"counts": counts, "findings": [finding._asdict() for finding in findings]}, indent=2))
    else:
        print(report(findings))
    return PROBLEMS if counts["problem"] else 0


def report(findings: Sequence[Finding]) -> str:
    """Return the findings as text: a line each, what to do below it, and how many there are."""
    lines = []
    for finding in findings:
        first, *more = finding.text.split("\n")
        lines.append(one_line(f"{finding.level:<8} {finding.check:<12} {first}"))
        lines += [one_line(f"{'':<8} {'':<12} {line.strip()}") for line in more]
        if finding.advice:
            lines.append(one_line(f"{'':<8} {'':<12} -> {finding.advice}"))
    counts = count(findings)
    told = ", ".join(
        f"{counts[level]} {level}{'s' if counts[level] != 1 else ''}" for level in ("problem", "warning", "note")
    )
    return "\n".join([*lines, "", told])


def put_back(path: Path) -> str:
    """Take our line out of a resolv.conf, and say what was done. Raises ``HostFileError``."""
    held = hostfile.hold(path)
    if held is None:
        raise HostFileError(path, "another_node", "a node that runs has put itself into it; stop that node instead")
    try:
        is_changed = hostfile.change(path, take_out)
    finally:
        held.close()
    return f"{path} is put back as it was" if is_changed else f"{path} has nothing of edgecore in it"
