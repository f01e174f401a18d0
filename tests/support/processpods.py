"""The process runtime, watched by a test."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from edgecore.clock import SystemClock
from edgecore.kube import decode_pod
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.processes import ProcessRuntime, ProcessSettings
from edgecore.modules.edged.runtime import Containers, ContainerState, Order

PATIENCE_S = 20.0
LIMIT_BYTES = 20_000


class Watched:
    """A runtime, and what it last reported of each pod."""

    def __init__(self, root: Path, *images: str) -> None:
        self.root = root
        settings = ProcessSettings(root, Images(images), LIMIT_BYTES, 2, 1 << 30)
        self.runtime = ProcessRuntime(SystemClock(), settings)
        self.reports: list[tuple[str, Containers]] = []
        self._changed = asyncio.Event()
        self.runtime.watch(self._take)

    def start(self, *containers: dict[str, Any], before: Containers = (), objects: Any = None, **spec: Any) -> None:
        pod = {
            "metadata": {"name": "p", "namespace": "default", "uid": "u1", "labels": {"app": "x"}},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 5, **spec},
        }
        data = msgspec.json.encode(pod)
        self.runtime.start(Order(decode_pod(data), data, before, objects or {}, "n1", "192.0.2.1", "192.0.2.1"))

    def update(self, *containers: dict[str, Any], objects: Any, **spec: Any) -> None:
        pod = {
            "metadata": {"name": "p", "namespace": "default", "uid": "u1"},
            "spec": {"containers": containers, **spec},
        }
        data = msgspec.json.encode(pod)
        self.runtime.update(Order(decode_pod(data), data, (), objects, "n1", "192.0.2.1", "192.0.2.1"))

    def kill(self, grace_s: int | None = None) -> None:
        self.runtime.kill("u1", grace_s)

    async def until(self, holds: Callable[[Containers], bool]) -> Containers:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for _, states in self.reports:
                    if holds(states):
                        return states
                self._changed.clear()
                await self._changed.wait()

    async def state(self, name: str, holds: Callable[[ContainerState], bool]) -> ContainerState:
        def found(states: Containers) -> bool:
            return any(each.name == name and holds(each) for each in states)

        return next(each for each in await self.until(found) if each.name == name)

    def printed(self, name: str = "c", restarts: int = 0) -> str:
        return self.runtime.places("u1").log(name, restarts).read_text()

    def _take(self, uid: str, states: Containers) -> None:
        self.reports.append((uid, states))
        self._changed.set()


def shell(script: str, name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "command": ["/bin/sh", "-c", script], **more}


def running(state: ContainerState) -> bool:
    return state.state == "running"


def ended(state: ContainerState) -> bool:
    return state.state == "terminated"


async def until_printed(watched: Watched, text: str) -> None:
    path = watched.runtime.places("u1").log("c", 0)
    await until_there(path)
    async with asyncio.timeout(PATIENCE_S):
        while not path.read_text().endswith(text):
            await asyncio.sleep(0.01)


async def until_gone(path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while path.exists():
            await asyncio.sleep(0.01)


async def until_there(path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not path.exists():
            await asyncio.sleep(0.01)
