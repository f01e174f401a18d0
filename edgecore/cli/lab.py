"""``edgecore lab``: edge nodes and a cloud on a network of their own, and the guide of EdgeMesh on them."""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgecore.control.client import ControlClient
from edgecore.control.columns import Columns
from edgecore.errors import ControlError, EdgecoreError, reason_of
from edgecore.lab.landlord import Lab, check_machine, default_root
from edgecore.lab.plan import LIMIT_NODES, plan
from edgecore.lab.walk import walk

Json = dict[str, Any]

_DESCRIPTION = """\
Build edge nodes on this machine, each with a network, a docker0, a resolv.conf, an
edgecore and a database of its own, joined by a virtual LAN with one cloud
(cloudhub-stub); then walk through the guide of EdgeMesh on them: a deployment on one
node, a service, curl by name from every node and from containers, with the cloud, without
it, and after a restart without it. Each step shows its command and is checked. It needs
root, or an ordinary user who may make user namespaces; it takes about half a minute.

Nothing of this machine is changed: all of it is in namespaces that end with the lab,
however that ends."""

_EPILOG = """\
examples:
  edgecore lab
      build a lab, walk through the guide, and take it down
  edgecore lab up --nodes 3
      build one and leave it running
  edgecore lab walk
      the guide, on the one that runs; --json for programs
  edgecore lab status
      nodes, addresses, pods, the link to the cloud
  edgecore lab shell edge-node-a
      a shell on a node; there, `edgecore status` and `edgecore services` need no flags
  edgecore lab shell edge-node-b --container -- curl -s http://nginx-svc.default.svc.cluster.local:12345
      one command, from a container on its docker0
  edgecore lab cut edge-node-b; edgecore lab heal edge-node-b
      take the node's way to the cloud away, and give it back
  edgecore lab down
      end it; nothing is left

exit code: 0 done, or every step held; 1 not; 130 Ctrl-C; of shell: that of the command"""

_DONE = "exit code: 0 done, 1 could not, 2 wrong usage"
_EPILOGS = {
    "up": f"example:\n  edgecore lab up --nodes 3 --mode rootless\n\n{_DONE}",
    "walk": "example:\n  edgecore lab walk --json | jq .took_s\n\n"
    "exit code: 0 every step held, 1 one did not, 2 wrong usage",
    "status": f"example:\n  edgecore lab status\n\n{_DONE} (no lab runs)",
    "shell": """\
examples:
  edgecore lab shell edge-node-a
  edgecore lab shell edge-node-b --container -- curl -s http://nginx-svc.default.svc.cluster.local:12345

exit code: that of the command or shell; 1 there is no such lab or node, 2 wrong usage""",
    "cut": f"example:\n  edgecore lab cut edge-node-b\n\n{_DONE}",
    "heal": f"example:\n  edgecore lab heal edge-node-b\n\n{_DONE}",
    "restart": f"example:\n  edgecore lab restart edge-node-a edge-node-b\n\n{_DONE}",
    "down": f"example:\n  edgecore lab down\n\n{_DONE}",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb with its own verbs."""
    common, size, form = _flags()
    parser = subparsers.add_parser(
        "lab",
        help="build a network of edge nodes on this machine, and walk through EdgeMesh's guide",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common, size, form],
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab running after the walk-through")
    parser.set_defaults(run=_all)
    verbs = parser.add_subparsers(title="commands of the lab", metavar="VERB")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str, *more: argparse.ArgumentParser) -> Any:
        verb = verbs.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=_EPILOGS[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common, *more],
        )
        verb.set_defaults(run=run)
        return verb

    add("up", _up, "build a lab and leave it running", size)
    add("walk", _walk, "walk through the guide of EdgeMesh on the running lab", form)
    add("status", _status, "show the running lab", form)
    shell = add("shell", _shell, "run a shell, or a command, on a node or in its container")
    shell.add_argument("node", metavar="NODE", help="such as edge-node-a: see edgecore lab status")
    _add_container(shell)
    shell.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="instead of a shell")
    for name, text in (
        ("cut", "take the way to the cloud from nodes; they still reach each other"),
        ("heal", "give nodes their way to the cloud back"),
        ("restart", "stop a node's edgecore and start it again, or one that has ended"),
    ):
        add(name, _change, text).add_argument("node", nargs="+", metavar="NODE", help="such as edge-node-b")
    verbs.choices["cut"].set_defaults(change="cut")
    verbs.choices["heal"].set_defaults(change="heal")
    verbs.choices["restart"].set_defaults(change="restart")
    add("down", _down, "end the lab; nothing is left")


def _flags() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return what several verbs take: which lab, how large a one, and the form of what is printed."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--root",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="the lab's directory; another one is another lab (default: $XDG_STATE_HOME/edgecore/lab)",
    )
    size = argparse.ArgumentParser(add_help=False)
    size.add_argument(
        "--nodes", type=int, default=argparse.SUPPRESS, metavar="N", help=f"1 to {LIMIT_NODES} nodes (default: 2)"
    )
    size.add_argument(
        "--mode",
        choices=("intercept", "rootless"),
        default=argparse.SUPPRESS,
        help="how the nodes get at traffic (default: intercept; in rootless containers cannot use services)",
    )
    form = argparse.ArgumentParser(add_help=False)
    form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document")
    return common, size, form


def _add_container(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--container", action="store_true", help="in the container on the node's docker0")


def shell_words(words: list[str], args: argparse.Namespace) -> list[str]:
    """Return the command of ``lab shell``; flags between the node and ``--`` become those of ``args``."""
    if not words or not words[0].startswith("-"):
        return words
    end = words.index("--") if "--" in words else len(words)
    flags = argparse.ArgumentParser(prog="edgecore lab shell", add_help=False)
    flags.add_argument("--root", type=Path, default=argparse.SUPPRESS)
    _add_container(flags)
    flags.set_defaults(container=args.container)
    flags.parse_args(words[:end], args)
    return words[end + 1 :]


def shell_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return that of ``lab shell``: ``edgecore`` there is this one, also where it was called by its path."""
    return {**environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", os.defpath)))}


def _lab(args: argparse.Namespace) -> Lab:
    return Lab(getattr(args, "root", None) or default_root())


def _build(args: argparse.Namespace, lab: Lab, *, tied: bool) -> Json:
    planned = plan(lab.root, getattr(args, "nodes", 2), getattr(args, "mode", "intercept"))
    check_machine(rules=planned.mode == "intercept")
    return lab.start(planned, tied=tied)


def _all(args: argparse.Namespace) -> int:
    """Build, walk, end. Ctrl-C and signals end the lab in order, too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    lab, as_json = _lab(args), getattr(args, "json", False)
    out = sys.stderr if as_json else sys.stdout
    began = time.monotonic()
    view = _build(args, lab, tied=not args.keep)
    try:
        print(f"A lab of {len(view['nodes'])} nodes is up, after {time.monotonic() - began:.1f} s.", file=out)
        code = _walked(lab, as_json=as_json)
    except BaseException:
        if not args.keep and lab.is_mine:
            lab.end()
        raise
    if args.keep:
        print(f"\n{_to_try(lab)}", file=out)
    else:
        lab.end()
    return code


def _up(args: argparse.Namespace) -> int:
    lab = _lab(args)
    view = _build(args, lab, tied=False)
    _add_states(view)
    _print_view(view)
    print(f"\n{_to_try(lab)}")
    return 0


def _walk(args: argparse.Namespace) -> int:
    return _walked(_lab(args), as_json=getattr(args, "json", False))


def _walked(lab: Lab, *, as_json: bool) -> int:
    record = walk(lab, None if as_json else sys.stdout)
    if as_json:
        print(json.dumps(record, indent=2))
    elif record["held"]:
        print(f"\nEvery step held, in {record['took_s']:.1f} s.")
    if not record["held"]:
        print(f"edgecore: {record['error']}", file=sys.stderr)
    return 0 if record["held"] else 1


def _status(args: argparse.Namespace) -> int:
    view = _lab(args).view()
    _add_states(view)
    if getattr(args, "json", False):
        print(json.dumps(view, indent=2))
    else:
        _print_view(view)
    return 0


def _add_states(view: Json) -> None:
    """Ask each node how it is."""
    for node in view["nodes"]:
        try:
            status = ControlClient(Path(node["control"]), 5.0).get("/v1/status")
            node["state"], node["link"] = status["state"], status["link"].get("state", "")
        except ControlError:
            node["state"], node["link"] = "stopped" if node["pid"] is None else "silent", ""


def _print_view(view: Json) -> None:
    print(f"{view['root']}: {view['state']}, mode {view['mode']}, LAN {view['lan']}")
    rows = [("MACHINE", "ADDRESS", "PID-IN-LAB", "STATE", "CLOUD", "WAY", "PODS")]
    cloud = view["cloud"]
    rows.append(("cloud", cloud["address"], str(cloud["pid"]), "", "", "", ""))
    rows += [
        (
            node["name"],
            node["address"],
            "-" if node["pid"] is None else str(node["pid"]),
            node.get("state", ""),
            node.get("link", ""),
            "cut" if node["cut"] else "open",
            ", ".join(node["pods"]),
        )
        for node in view["nodes"]
    ]
    print("\n".join(Columns().lines(rows)))


def _to_try(lab: Lab) -> str:
    root = "" if lab.root == default_root() else f" --root {shlex.quote(str(lab.root))}"
    cloud = shlex.quote(str(lab.root / "cloud"))
    return f"""\
Try:
  edgecore lab walk{root}
  edgecore lab shell edge-node-a{root}
  edgecore lab status{root}
  cloudhub-stub get pods -o wide --state-dir {cloud}
  edgecore lab down{root}"""


def _shell(args: argparse.Namespace) -> int:
    words = shell_words(args.command, args)
    lab = _lab(args)
    node = lab.node(args.node)
    holder = node["container_holder" if args.container else "holder"]
    command = lab.command(holder, words or [os.environ.get("SHELL", "/bin/sh")])
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, shell_environment(os.environ))  # noqa: S606
    except OSError as error:
        raise EdgecoreError(f"cannot enter {args.node}: {command[0]}: {reason_of(error)}") from error


def _change(args: argparse.Namespace) -> int:
    lab = _lab(args)
    for name in args.node:
        lab.change(args.change, name)
    return 0


def _down(args: argparse.Namespace) -> int:
    lab = _lab(args)
    if not lab.end():
        print(f"no lab ran in {lab.root}")
    return 0
