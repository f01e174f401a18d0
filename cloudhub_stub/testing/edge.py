"""An edge node as a program of a test: ``edgecore run`` in a directory of its own, and what a test looks at in it."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cloudhub_stub.testing.processes import Json, Program, run_to_end
from cloudhub_stub.testing.stub import StubProgram
from edgecore.addresses import split_address
from edgecore.control.client import ControlClient
from edgecore.privatefiles import make_directory
from edgecore.store.databasefile import peek

_FIRST_ADDRESS = IPv4Address("127.0.0.2")


class Row(NamedTuple):
    """One row of a node's table ``meta``."""

    type: str
    value: str
    """JSON, as it was stored."""


class Edge(Program):
    """A node; its first start joins the cloud. ``number`` counts the nodes of the cloud from 0 on.

    ``settings`` are keys of its ``edgecore.yaml``, nested as there, that shall not be as ``defaults`` has them.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        stub: StubProgram,
        *,
        number: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = directory / name
        make_directory(self.directory)
        client = ControlClient(self.directory / "edgecore.sock", start_command="edge.start()")
        super().__init__(name, client, directory / f"{name}.log")
        self.config = self.directory / "edgecore.yaml"
        self._stub = stub
        self._settings = merged(defaults(number), settings or {})
        if "eventBus" not in (settings or {}).get("modules", {}):  # a broker of this machine is not the test's
            self._settings = merged(self._settings, {"modules": {"eventBus": {"enable": False}}})

    def command(self) -> list[str]:
        """See ``Program``."""
        return ["edgecore", "run", "--config", str(self.config)]

    def brief_status(self) -> Json:
        """See ``Program``: the services are left out."""
        found: Json = self.control.get("/v1/status", {"brief": "1"})
        return found

    def is_ready(self, status: Json) -> bool:
        """It has found out what it had before, where it has a mesh; whether it has a cloud does not matter."""
        return bool(status["modules"] and (not status["mesh"] or status["mesh"].get("recovered")))

    def join(self) -> None:
        """Get a certificate, with the stub's token, and write the configuration. Raises ``ProgramFailed``.

        What the node has stored stays.
        """
        place = ["--root", str(self.directory)]
        stub = self._stub.status()
        if self._stub.plain:
            text = run_to_end(["edgecore", "config", "--min", *place])
            link = {"edged": {"hostnameOverride": self.name}, "edgeHub": {"websocket": {"server": stub["listen"]}}}
            changes = merged({"modules": link}, self._settings)
        else:
            server = ["--server", stub["listen"].partition("://")[2], "--https", stub["https"], "--name", self.name]
            run_to_end(["edgecore", "join", *place, *server, "--force", "--token-file", "-"], self._stub.token)
            text, changes = self.config.read_text("utf-8"), self._settings
        self.config.write_text(yaml.safe_dump(merged(yaml.safe_load(text), changes)), "utf-8")

    @property
    def address(self) -> str:
        """The node's address, and so the ``hostIP`` of its pods."""
        found: str = self._settings["modules"]["edged"]["nodeIP"]
        return found

    @property
    def dns(self) -> tuple[str, int]:
        """Host and port where it answers DNS queries."""
        return split_address(self.status()["mesh"]["dns"]["listening"][0])

    @property
    def proxy(self) -> tuple[str, int]:
        """Host and port of its forward proxy for HTTP."""
        return split_address(self.status()["mesh"]["plain_listener"])

    def service(self, name: str, namespace: str = "default") -> Json:
        """Return a service as the node's mesh has it: ``fake_ip``, ``ports``, ``backends``.

        Raises ``LookupError`` where it has none of that name.
        """
        services: list[Json] = self.status()["mesh"].get("services", [])
        for service in services:
            if (service["namespace"], service["name"]) == (namespace, name):
                return service
        known = ", ".join(f"{each['namespace']}/{each['name']}" for each in services) or "none"
        raise LookupError(f"{self.name} has no service {namespace}/{name}; it has {known}")

    def store(self) -> dict[str, Row]:
        """Return the rows that the node has stored, by key, whether it runs or not.

        Raises ``StoreError`` where it has not stored anything yet.
        """
        rows = peek(self.directory / "edgecore.db", "SELECT key, type, value FROM meta ORDER BY key")
        return {key: Row(row_type, value) for key, row_type, value in rows}


def defaults(number: int) -> dict[str, Any]:
    """Return the settings in which the edges of a test differ from others.

    Each has an address of its own on loopback, where a test can put what stands for the containers of its pods; it
    reports its state every second, so that it is ready a second after it has registered; its ports are free ones.
    """
    edged = {"nodeIP": str(_FIRST_ADDRESS + number), "nodeStatusUpdateFrequency": 1}
    return {"modules": {"edged": edged}, "observe": {"listen": "127.0.0.1:0"}}


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` put in, at any depth; neither is changed."""
    result = dict(settings)
    for key, value in changes.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result
