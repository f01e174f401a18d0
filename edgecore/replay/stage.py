"""What a replay is played on: one node at a time, its cloud, its broker, and its directory."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from edgecore.app import Node
from edgecore.config.load import LoadedConfig
from edgecore.ids import NewId, seeded_ids
from edgecore.modules.edged.nodestatus import HostFacts
from edgecore.replay.broker import MemoryBroker
from edgecore.replay.journal import Journal
from edgecore.replay.link import CloudLink
from edgecore.replay.pace import Pace, VirtualPace
from edgecore.wiring.outside import Outside

MACHINE = HostFacts(
    cpus=4,
    memory_mib=4096,
    kernel="5.15.0",
    os_image="a machine of a replay",
    operating_system="linux",
    architecture="amd64",
    machine_id="00000000000000000000000000000001",
    system_uuid="00000000000000000000000000000001",
    boot_id="00000000-0000-4000-8000-000000000001",
    storage_kib=8_388_608,
)
"""What a node in virtual time runs on, so that it says the same on any machine."""
END_TURNS = 200
"""So many turns of the event loop a node that stops may need before time has to go by."""
END_STEP_S = 0.05


class Stage:
    """One node after the other on the same files."""

    def __init__(self, loaded: LoadedConfig, pace: Pace, seed: int, heard: Callable[[bytes], None]) -> None:
        self._loaded = loaded
        self.pace = pace
        self._seed = seed
        self.new_id: NewId = seeded_ids(seed)
        self.journal = Journal(pace.clock, loaded.config.node_name)
        self.cloud = CloudLink(heard, self.journal)
        self.broker = MemoryBroker(self.journal)
        self.node: Node | None = None
        self.is_registered = False
        """Whether the cloud knows the node that runs: no process registers itself twice."""

    async def start_node(self) -> None:
        """Start a node; one that runs is a process that ends now."""
        await self.stop()
        self.is_registered = False
        self.cloud.reachable = True
        self.node = Node(
            self._loaded,
            clock=self.pace.clock,
            new_id=self.new_id,
            outside=self._outside(),
        )
        await self.node.start()

    def _outside(self) -> Outside:
        outside = Outside(
            dial=self.cloud.dial,
            new_random=self._random,
            make_mqtt_client=self.broker.make_client,
            listens=False,
        )
        if isinstance(self.pace, VirtualPace):
            return outside._replace(writes_at_once=True, host_facts=lambda _storage: MACHINE, zone=UTC)
        return outside

    def _random(self) -> random.Random:
        return random.Random(self._seed)  # noqa: S311 - repeatability is the point here

    async def stop(self) -> None:
        """Stop the node that runs, if one does; time goes by where it needs some to end."""
        node, self.node = self.node, None
        if node is None:
            return
        stopping = asyncio.ensure_future(node.stop())
        while not stopping.done():
            for _ in range(END_TURNS):
                if not stopping.done():
                    await asyncio.sleep(0)
            if not stopping.done():
                await self.pace.wait(END_STEP_S, lambda: 0)
        await stopping
        self.cloud.drop("the node stopped")

    async def rest_until(self, t_ns: int) -> None:
        """Have no node until then, in the recording's time."""
        await self.stop()
        if isinstance(self.pace, VirtualPace):
            await self.pace.wait(t_ns / 1e9 - self.pace.clock.now_ms() / 1000, lambda: 0)

    async def snapshot(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what the node knows; nothing where none runs."""
        return await self.node.snapshot(names) if self.node is not None else {}

    async def quiet(self) -> None:
        """Return once nothing is under way in the node."""
        await self.pace.quiet(self.under_way)

    async def pass_time(self, seconds: float) -> None:
        """Let as much time go by as went by in the recording."""
        await self.pace.pass_time(seconds, self.under_way)

    async def wait(self, seconds: float) -> float:
        """Let time go by while the node is waited for; see ``Pace``."""
        return await self.pace.wait(seconds, self.under_way)

    def under_way(self) -> int:
        """Return how many messages lie anywhere in the node, and how many writes wait for their commit."""
        node = self.node
        if node is None or node.store is None:
            return 0
        lying = sum(len(mailbox.queue) for mailbox in node.bus.mailboxes.values())
        return lying + self.cloud.unread + node.store.statistics().waiting
