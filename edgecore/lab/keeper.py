"""The process that owns a lab, in namespaces of its own: with its end, whatever it is, all of the lab ends.

``python -m edgecore.lab.keeper ROOT NODES MODE [tied]`` is started by a shell that is the first process of a PID
namespace (``landlord.py``): that one waits for it, and for all whose parents are gone. ``tied`` ends the lab with the
keeper's standard input.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import structlog

from edgecore.control.client import ControlClient
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.control.server import ControlServer
from edgecore.control.signals import stop_on_signal
from edgecore.errors import ControlError, EdgecoreError, LabError
from edgecore.lab.building import Site, build
from edgecore.lab.containers import Containers
from edgecore.lab.daemon import Daemon
from edgecore.lab.plan import CLOUD, CLOUD_PORT, LAN, LabPlan, Mode, NodePlan, cut_command, plan
from edgecore.lab.pods import wanted
from edgecore.observe.logs import configure_logging

log = structlog.get_logger("lab")

_LOOK_S = 0.3
"""Time between two looks at the pods."""
_START_TIMEOUT_S = 30.0
_POLL_S = 0.05
Json = dict[str, Any]


class Keeper:
    """A lab that was built, alive."""

    def __init__(self, lab: LabPlan, site: Site, stopped: asyncio.Event) -> None:
        self._lab = lab
        self._site = site
        self._stopped = stopped
        self._state = "starting"
        self._cut: set[str] = set()
        self._changing = asyncio.Lock()
        python = [sys.executable, "-m"]
        stub = ["cloudhub_stub", "run", "--plain", "--listen", f"{CLOUD}:{CLOUD_PORT}", "--state-dir", str(lab.cloud)]
        self._cloud = Daemon("cloudhub-stub", site.cloud, [*python, *stub], lab.root / "cloud.log")
        self._nodes = {
            node.name: Daemon(
                node.name,
                site.machines[node.name],
                [*python, "edgecore", "run", "--config", str(node.config)],
                node.folder / "edgecore.log",
            )
            for node in lab.nodes
        }
        self._containers = Containers(lab, site.machines)

    async def run(self) -> None:
        """Start all of it, and keep it until it is told to stop. Raises ``EdgecoreError`` and ``OSError``."""
        server = ControlServer(self._lab.socket, self._routes(), process="lab")
        await server.start()
        pods = asyncio.create_task(self._follow_pods())
        begin = asyncio.create_task(self._begin())
        await self._stopped.wait()
        for task in (begin, pods):
            task.cancel()
        await asyncio.gather(begin, pods, return_exceptions=True)
        await asyncio.gather(*(daemon.stop() for daemon in self._nodes.values()))
        await self._cloud.stop()
        await server.stop()

    async def _begin(self) -> None:
        try:
            await self._cloud.start()
            await self._answering(self._cloud, self._lab.cloud_socket)
            for daemon in self._nodes.values():
                await daemon.start()
            for node in self._lab.nodes:
                await self._answering(self._nodes[node.name], node.socket)
        except Exception as error:
            log.exception("lab_failed")
            self._state = str(error) or type(error).__name__
            return
        self._state = "ready"

    async def _answering(self, daemon: Daemon, socket: Path) -> Json:
        """Return the status of a program as soon as it tells and is at work. Raises ``LabError``."""
        client = ControlClient(socket)
        for _ in range(int(_START_TIMEOUT_S / _POLL_S)):
            with suppress(ControlError):
                status: Json = await asyncio.to_thread(client.get, "/v1/status")
                if status.get("mesh", {}).get("recovered", True):
                    return status
            if daemon.pid is None:
                raise LabError(f"cannot start {daemon.name}: it ended with {daemon.ended}; see {daemon.log}")
            await asyncio.sleep(_POLL_S)
        raise LabError(
            f"cannot start {daemon.name}: it is not at work after {_START_TIMEOUT_S:.0f} s; see {daemon.log}"
        )

    async def _follow_pods(self) -> None:
        cloud = ControlClient(self._lab.cloud_socket)
        while True:
            try:
                with suppress(ControlError):
                    pods = await asyncio.to_thread(cloud.get, "/v1/objects", {"kind": "Pod"})
                    await self._containers.change_to(wanted(pods, self._nodes.keys()))
            except Exception:
                log.exception("pods_not_followed")
            await asyncio.sleep(_LOOK_S)

    def _routes(self) -> Routes:
        async def show(_request: ControlRequest) -> Json:
            return self._view()

        async def down(_request: ControlRequest) -> Json:
            self._stopped.set()
            return {}

        async def cut(request: ControlRequest) -> Json:
            return await self._set_cut(self._named(request), cut=True)

        async def heal(request: ControlRequest) -> Json:
            return await self._set_cut(self._named(request), cut=False)

        async def restart(request: ControlRequest) -> Json:
            node = self._named(request)
            if self._state != "ready":
                raise ControlRefused(409, f"cannot restart {node.name}: the lab is {self._state}")
            daemon = self._nodes[node.name]
            async with self._changing:
                await daemon.stop()
                await daemon.start()
                await self._answering(daemon, node.socket)
            return self._view_of(node)

        return {
            ("GET", "/v1/lab"): show,
            ("POST", "/v1/down"): down,
            ("POST", "/v1/cut"): cut,
            ("POST", "/v1/heal"): heal,
            ("POST", "/v1/restart"): restart,
        }

    def _named(self, request: ControlRequest) -> NodePlan:
        name = request.body.get("node") if isinstance(request.body, dict) else None
        try:
            return self._lab.node(str(name))
        except LabError as error:
            raise ControlRefused(404, str(error)) from None

    async def _set_cut(self, node: NodePlan, *, cut: bool) -> Json:
        async with self._changing:
            if (node.name in self._cut) != cut:
                await asyncio.to_thread(self._site.machines[node.name].run, cut_command(cut=cut))
                self._cut ^= {node.name}
        return self._view_of(node)

    def _view(self) -> Json:
        lab = self._lab
        return {
            "state": self._state,
            "root": str(lab.root),
            "mode": lab.mode,
            "lan": str(LAN.network),
            "cloud": {
                "address": str(CLOUD),
                "pid": self._cloud.pid,
                "holder": self._site.cloud.holder,
                "state_dir": str(lab.cloud),
                "log": str(self._cloud.log),
            },
            "nodes": [self._view_of(node) for node in lab.nodes],
        }

    def _view_of(self, node: NodePlan) -> Json:
        daemon = self._nodes[node.name]
        return {
            "name": node.name,
            "address": str(node.address),
            "pid": daemon.pid,
            "ended": daemon.ended,
            "cut": node.name in self._cut,
            "pods": self._containers.pods_of(node.name),
            "holder": self._site.machines[node.name].holder,
            "container_holder": self._site.machines[node.box].holder,
            "config": str(node.config),
            "control": str(node.socket),
            "log": str(daemon.log),
        }


async def keep(lab: LabPlan, site: Site, *, tied: bool) -> None:
    """Keep a lab until a signal, ``lab down``, or the end of standard input. Raises as ``Keeper.run``."""
    stopped = stop_on_signal()
    if tied:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)
    await Keeper(lab, site, stopped).run()


def main(arguments: Sequence[str]) -> int:
    """Build a lab and keep it; return the exit code."""
    root, nodes, mode, *rest = arguments
    configure_logging("info", "auto")
    try:
        lab = plan(Path(root), int(nodes), cast("Mode", mode))
        asyncio.run(keep(lab, build(lab), tied="tied" in rest))
    except (EdgecoreError, OSError) as error:
        sys.stderr.write(f"edgecore: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
