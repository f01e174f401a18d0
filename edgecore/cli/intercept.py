"""``edgecore intercept``: what interception does to this machine, done, undone and shown."""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from edgecore.cli.intercept_report import status_text
from edgecore.cli.target import add_target, client_of, configuration_of
from edgecore.clock import SystemClock
from edgecore.config.load import DEFAULT_PATH
from edgecore.errors import ControlError, InterceptError
from edgecore.modules.edgemesh.intercept.capability import chosen_tool, has_program, may_intercept, need_capability
from edgecore.modules.edgemesh.intercept.cleaning import Cleaning
from edgecore.modules.edgemesh.intercept.hold import interception, script_of
from edgecore.modules.edgemesh.intercept.interface import chosen_interface, kinds
from edgecore.modules.edgemesh.intercept.keeper.libnftables import find_nftables
from edgecore.modules.edgemesh.intercept.keeper.link import KeeperLink
from edgecore.modules.edgemesh.intercept.keeper.succession import lingers_s
from edgecore.modules.edgemesh.intercept.leftovers import table_name
from edgecore.modules.edgemesh.intercept.plan import plan, plan_text
from edgecore.modules.edgemesh.intercept.rules.interception import Spots
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.settings import intercept_settings
from edgecore.observe.logs import configure_logging

T = TypeVar("T")

_DESCRIPTION = """\
Mode intercept leads connections to fake IPs (modules.edgeMesh.subNet) to the node by rules
of the kernel: a table of nftables of its own (or a chain EDGE-MESH of iptables), a route to
modules.edgeMesh.listenInterface, and an address there. The node makes them when it starts,
and they go when it ends in any way; what stays is a route by which a connection to a fake
IP is refused at once. Nothing of anybody else is touched."""

_EPILOG = """\
examples:
  edgecore intercept plan --config edgecore.yaml
      every command and every rule, before anything is done
  edgecore intercept status
      whether all of it is there, and what was mended
  sudo edgecore intercept remove
      take rules and routes out: of the running node until apply, or all that one left that is gone
  sudo edgecore intercept apply
      put it back"""

_PLAN = (
    "print exactly what is run, and do nothing",
    """\
Print the commands and texts that are run at the start of the node, at its end, and by
remove. Of a running node with the services that it has now; without one, from its
configuration.""",
    """\
exit code:
  0  printed
  1  it could not be: no tool, no interface

examples:
  edgecore intercept plan --config edgecore.yaml
      before the first start
  edgecore intercept plan --json | jq -r '.start[].text'
      the texts alone""",
)
_APPLY = (
    "have the running node make everything anew",
    """\
Have the running node make its rules and routes anew: after remove, or whenever they are
in doubt.""",
    """\
exit code:
  0  done
  1  no node runs, so rules would lead nowhere, or the kernel refuses

examples:
  edgecore intercept apply --config edgecore.yaml
      after remove""",
)
_REMOVE = (
    "take out rules and routes",
    """\
Of a running node: take out its rules and its route to the interface, until apply or its
next start. The route by which a connection to a fake IP is refused stays: the node's DNS
goes on giving fake IPs, which must not leave by the default route. It goes when the node
has ended and remove is run again. Without a node: take out what one left in this network
namespace: tables edgecore_*, chains EDGE-MESH (those of an edgecore in Go too), routes, an
interface that it made. A route that is not ours but in the way of a node is named, and left
alone.""",
    """\
exit code:
  0  no rule is left; without a node, nothing is
  1  not everything could be taken out

examples:
  sudo edgecore intercept remove --config edgecore.yaml
      the running node's, or what one left; both for all of it: stop the node first""",
)
_STATUS = (
    "show whether all of it is there",
    """\
Show interface, routes, rules and the process that holds them, what is missing, and what
was mended. Without a running node: what one left.""",
    """\
exit code:
  0  as it should be, or the keeper of a node that is gone keeps connections for a while
  1  something is missing, is left, is in the way, or cannot be looked at

examples:
  edgecore intercept status
      part by part
  edgecore intercept status --json | jq .findings
      what is missing""",
)
_VERBS = {"plan": _PLAN, "apply": _APPLY, "remove": _REMOVE, "status": _STATUS}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and the verbs below it."""
    how: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = subparsers.add_parser(
        "intercept",
        help="what interception does to this machine: plan, apply, remove, status",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        **how,
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (text, description, epilog) in _VERBS.items():
        verb = below.add_parser(name, help=text, description=description, epilog=epilog, **how)
        add_target(verb)
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(run=run, verb=name, by_defaults=True)


def run(args: argparse.Namespace) -> int:
    """Do what is asked for, and return the exit code. Raises ``ControlError``, ``ConfigError``, ``InterceptError``."""
    told = _of_node(args)
    verb = args.verb
    if told is None:
        return _without_node(args)
    if verb == "plan":
        _print(args, told, plan_text(told))
        return 0
    _print(args, told, status_text(told))
    return 1 if verb == "status" and (told["state"] != "active") else 0


def _of_node(args: argparse.Namespace) -> dict[str, Any] | None:
    """Return what the node says; ``None``: there is none."""
    client = client_of(args)
    try:
        match args.verb:
            case "plan":
                told: dict[str, Any] = client.get("/v1/intercept/plan")
            case "status":
                told = client.get("/v1/intercept")
            case verb:
                told = client.post(f"/v1/intercept/{verb}")
    except ControlError as error:
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError | ConnectionRefusedError):
            raise
        if args.control is not None:
            raise
        if args.verb == "apply":
            raise ControlError(f"{error}; without a node rules would lead nowhere") from error
        return None
    return told


def _without_node(args: argparse.Namespace) -> int:
    loaded = configuration_of(args)
    if not loaded.origin:
        sys.stderr.write(f"edgecore: there is no {DEFAULT_PATH}: going by the defaults; name another with --config\n")
    named = "modules.edgeMesh.listenInterface" in loaded.given
    settings = intercept_settings(loaded.config.modules.edge_mesh, interface_named=named)
    if args.verb == "plan":
        told = planned(settings)
        _print(args, told, _caution(loaded.config.modules.edge_mesh.mode) + plan_text(told))
        return 0
    need_capability(has_it=may_intercept())
    configure_logging("warning", "auto")  # to standard error: what is printed may be JSON
    if args.verb == "remove":
        removed, foreign = asyncio.run(_with_keeper(settings, _removed))
        text = _listed("removed: ", removed) + _listed("left alone: ", foreign)
        _print(args, {"state": "removed", "removed": removed, "left_alone": foreign}, text or "nothing is left")
        return 0
    return _show_left(args, settings)


def _show_left(args: argparse.Namespace, settings: InterceptSettings) -> int:
    """Show what a node left, and what its keeper yet needs; return the exit code."""
    seconds = lingers_s(settings.subnet)
    left, foreign = asyncio.run(_with_keeper(settings, _left))
    if seconds is None:
        text = _listed("left: ", left) + _listed("not ours: ", foreign)
        told: dict[str, Any] = {"state": "off", "left": left, "left_alone": foreign}
        _print(args, told, text or "no node runs, and nothing is left of one")
        return 1 if left or foreign else 0
    first = f"the keeper of a node that is gone keeps connections for {seconds} s more, and goes by itself\n"
    text = first + _listed("kept: ", left) + _listed("not ours: ", foreign)
    _print(args, {"state": "lingering", "lingers_s": seconds, "kept": left, "left_alone": foreign}, text)
    return 1 if foreign else 0


async def _removed(cleaning: Cleaning) -> tuple[list[str], list[str]]:
    return await cleaning.remove(), await cleaning.left_alone()


async def _left(cleaning: Cleaning) -> tuple[list[str], list[str]]:
    return [*await cleaning.look()], await cleaning.left_alone()


def _caution(mode: str) -> str:
    """Return what is above a plan that may not be carried out."""
    if mode == "intercept":
        return ""
    only = "nothing of this is done" if mode == "rootless" else "done only if the file names an interface that is there"
    return f"# modules.edgeMesh.mode is {mode}: {only}\n\n"


def planned(settings: InterceptSettings) -> dict[str, Any]:
    """Return the plan for a node that does not run. Raises ``InterceptError``."""
    nftables = find_nftables().tool
    tool = chosen_tool(settings.tool, nftables, has_iptables=has_program("iptables-restore"))
    interface = chosen_interface(settings, {name: False for _, name in socket.if_nameindex()})
    i = interception(settings, table_name("PID", settings.subnet), interface)
    script = script_of(tool, i, made=interface.made, owner=nftables == "library")
    return plan(script, Spots(), 0.0, makes="" if interface.is_there else kinds(settings)[0])


async def _with_keeper(settings: InterceptSettings, work: Callable[[Cleaning], Awaitable[T]]) -> T:
    link = KeeperLink(SystemClock(), lambda _end: None)
    await link.start()
    try:
        return await work(Cleaning(settings, link))
    except InterceptError as error:
        if error.reason == "in_use":
            raise InterceptError("in_use", "a node runs that has these rules; name it with --control") from error
        raise
    finally:
        await link.bye(linger=False)


def _listed(before: str, words: list[str]) -> str:
    return "".join(f"{before}{one}\n" for one in words)


def _print(args: argparse.Namespace, told: Any, text: str) -> None:
    print(json.dumps(told, indent=2) if args.json else text.rstrip())
