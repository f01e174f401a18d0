"""What interception does, for people: each step as the command or the text that is run, by the moment it is (pure)."""

import shlex
from collections.abc import Iterable
from typing import Any

from edgecore.modules.edgemesh.intercept.keeper.protocol import Nft, Step
from edgecore.modules.edgemesh.intercept.rules.interception import Spots
from edgecore.modules.edgemesh.intercept.rules.routes import raise_interface
from edgecore.modules.edgemesh.intercept.script import Script, make_interface


def plan(script: Script, spots: Spots, linger_s: float, *, makes: str) -> dict[str, Any]:
    """Return the steps of each moment, as a JSON object.

    ``makes``: as what the interface is made; empty: it is there.
    """
    will = script.will(linger_s)
    made = make_interface(script.i.interface, makes) if makes else ()
    up = (raise_interface(script.i.interface),) if script.made else ()
    return {
        "interface": script.i.interface,
        "subnet": script.i.subnet,
        "tool": script.tool,
        "start": _told((*made, *script.ground(), *script.rules(None, spots), *up, *script.ground(), *script.live())),
        "end_at_once": _told(will.at_once),
        "linger_s": will.linger_s,
        "end_at_last": _told(will.at_last),
        "remove": _told(script.remove()),
        "remove_when_ended": _told(script.forget()),
    }


def _told(steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [_step(step) for step in steps]


def _step(step: Step) -> dict[str, Any]:
    if isinstance(step, Nft):
        return {"tool": "nft", "text": step.text}
    return {"tool": step.argv[0], "argv": list(step.argv), "text": step.stdin}


def plan_text(told: dict[str, Any]) -> str:
    """Return a plan as lines of a shell, with a line of explanation before each moment."""
    linger = f", {told['linger_s']:g} s later" if told["linger_s"] else ""
    moments = (
        ("start", "when the node starts, and for each change of a service a transaction like it"),
        ("end_at_once", "when the node has ended, however it did"),
        ("end_at_last", f"then{linger}; the route that refuses stays, so that nothing waits for an answer"),
        ("remove", "edgecore intercept remove, while the node runs; the route that refuses stays"),
        ("remove_when_ended", "edgecore intercept remove, when the node has ended"),
    )
    parts = [f"# {text}\n" + "".join(_line(step) for step in told[moment]) for moment, text in moments]
    return "\n".join(parts)


def _line(step: dict[str, Any]) -> str:
    argv = step.get("argv") or ("nft", "-f", "-")
    line = shlex.join(argv)
    return f"{line} <<'EOF'\n{step['text'].rstrip()}\nEOF\n" if step["text"] else f"{line}\n"
