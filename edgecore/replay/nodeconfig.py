"""The configuration of a replayed node: the recorded node's, but for what reaches out of the process."""

import json
from pathlib import Path
from typing import Any

import msgspec

from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, load, parse
from edgecore.replay.facts import ADDRESS, NAME, NodeFacts

DIALLED = "ws://127.0.0.1:10000"
"""What the node dials: nobody listens there, the player takes the call."""
NAMESPACE = "default"

Json = dict[str, Any]


def node_config(directory: Path, facts: NodeFacts, given: Path | None = None) -> LoadedConfig:
    """Return the configuration of a node whose files are in ``directory``.

    It goes by the file ``given``, if there is one, and by the defaults, but for where it would reach out. Raises
    ``ConfigError``.
    """
    env = Environment(facts.name, facts.address)
    tree: Json = msgspec.to_builtins(load(given, env=env).config) if given is not None else {}
    origin = "the recorded node" if given is None else str(given)
    merged = _merged(tree, _overrides(directory, facts))
    dns = merged["modules"]["edgeMesh"]["dns"]
    dns["namespace"] = dns.get("namespace") or NAMESPACE  # not that of the pod in which the replay may run
    return parse(json.dumps(merged), origin, env=env)


def _overrides(directory: Path, facts: NodeFacts) -> Json:
    edged: Json = {"runtime": "simulated"}
    if facts.name != NAME:
        edged["hostnameOverride"] = facts.name
    if facts.address != ADDRESS:
        edged["nodeIP"] = facts.address
    return {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "control": {"socket": str(directory / "edgecore.sock")},
        "observe": {"listen": "127.0.0.1:0"},
        "modules": {
            "edgeHub": {"websocket": {"server": DIALLED}},
            "edged": edged,
            "eventBus": {"mqttMode": 2},
            "edgeMesh": {
                "mode": "rootless",
                "dns": {"upstreams": ["127.0.0.1:9"], "manageResolvConf": False, "workers": 1},
                "traffic": {"accessLog": "", "workers": 1},
            },
        },
    }


def _merged(tree: Json, over: Json) -> Json:
    both = {key: _merged(tree.get(key, {}), value) if isinstance(value, dict) else value for key, value in over.items()}
    return {**tree, **both}
