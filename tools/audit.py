"""Whether a library that the node stands on has a known vulnerability: ``make audit``.

Two sets are looked at, by pip-audit: what is installed, and the lowest versions that ``pyproject.toml`` allows. It is
content with packages of which it could find out nothing; here those are told, and are no success.

exit code: 0 looked at all, and nothing is known; 1 something is; 2 could not look at all of them
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tools.minimum import FILE

OURS = "edgecore"
"""Is on no index, and needs no advisory to be mended."""
SERVICES = ("pypi", "osv")
"""Who is asked for advisories: the second for what the first says nothing of."""
TIMEOUT_S = 180
_SHOWN = 5


class Flaw(NamedTuple):
    """One advisory that is true of a version."""

    package: str
    id: str
    fixed_in: tuple[str, ...]


class Findings(NamedTuple):
    """What a service said."""

    looked_at: frozenset[str]
    unknown: frozenset[str]
    """Of these it could say nothing."""
    flaws: tuple[Flaw, ...]
    failure: str = ""
    """Why it said nothing at all."""


def findings(document: Mapping[str, Any]) -> Findings:
    """Return what stands in a report of pip-audit."""
    looked_at, unknown, flaws = set(), set(), []
    for package in document["dependencies"]:
        name = package["name"]
        if name.lower() == OURS:
            continue
        if "skip_reason" in package:
            unknown.add(name)
            continue
        looked_at.add(name)
        flaws += [
            Flaw(f"{name} {package['version']}", each["id"], tuple(each["fix_versions"])) for each in package["vulns"]
        ]
    return Findings(frozenset(looked_at), frozenset(unknown), tuple(flaws))


def together(said: Iterable[Findings]) -> Findings:
    """Return what several services said of one set: unknown is what none of them knew."""
    every = [*said]
    looked_at = frozenset[str]().union(*(each.looked_at for each in every))
    unknown = frozenset[str]().union(*(each.unknown for each in every)) - looked_at
    flaws = tuple(dict.fromkeys(flaw for each in every for flaw in each.flaws))
    return Findings(looked_at, unknown, flaws, next((each.failure for each in every if each.failure), ""))


def verdict(what: str, found: Findings) -> tuple[list[str], int]:
    """Return the lines to print of one set, and the exit code."""
    lines = [f"{what}: {len(found.looked_at)} packages looked at, {len(found.flaws)} advisories"]
    for flaw in found.flaws:
        way_out = f"take {' or '.join(flaw.fixed_in)}" if flaw.fixed_in else "no version without it is known"
        lines.append(f"  {flaw.package}: {flaw.id}; {way_out}")
    if found.unknown or not found.looked_at:
        names = sorted(found.unknown, key=str.lower)
        listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        why = found.failure or "the index that pip is set to passes on no advisories"
        lines.append(f"  nothing could be found out about {listed or 'any of them'}: {why};")
        lines.append("  run make audit where https://pypi.org or https://api.osv.dev can be reached")
    if found.flaws:
        return lines, 1
    return lines, 2 if found.unknown or not found.looked_at else 0


def ask(service: str, which: Sequence[str]) -> Findings:
    """Run pip-audit once."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "-s", service]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [*command, *which], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        return findings(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return Findings(frozenset(), frozenset(), (), f"{service} did not answer within {TIMEOUT_S} s")
    except (ValueError, KeyError):
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Findings(frozenset(), frozenset(), (), f"{service}: {said[-1][:200]}")


def look(what: str, which: Sequence[str]) -> int:
    """Ask, print, and return the exit code."""
    said = []
    for service in SERVICES:
        print(f"asking {service} about {what} ...", file=sys.stderr, flush=True)
        said.append(ask(service, which))
        if said[-1].looked_at and not together(said).unknown:
            break
    lines, code = verdict(what, together(said))
    print("\n".join(lines))
    return code


def main(installed: str) -> int:
    """Look at both sets; ``installed`` is a ``site-packages`` directory."""
    codes = [
        look("what is installed", ["--path", installed]),
        look("the lowest versions allowed", ["--requirement", str(FILE), "--no-deps", "--disable-pip"]),
    ]
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("purelib")))
