"""What a node meets beyond its process, and what is not the same twice; a replay puts its own in place of both."""

import random
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from edgecore.modules.edged.hostfacts import read_host_facts
from edgecore.modules.edged.nodestatus import HostFacts
from edgecore.modules.edgehub.transport import Dial, dial
from edgecore.modules.eventbus.brokerlink import MakeClient
from edgecore.modules.eventbus.client import MqttClient


def system_random() -> random.Random:
    """Return numbers that spread reconnects and choices; they guard nothing."""
    return random.Random()  # noqa: S311 - as it says


def facts_of_this_machine(storage: Path) -> HostFacts:
    """Return what the machine is; ``storage`` is where the node keeps what it has."""
    return read_host_facts(storage=storage)


class Outside(NamedTuple):
    """Of one node."""

    dial: Dial = dial
    """Opens a session with the cloud."""
    new_random: Callable[[], random.Random] = system_random
    """Makes the source of numbers of one part."""
    writes_at_once: bool = False
    """Whether the event loop itself writes the file, so that all that happens has always the same order."""
    make_mqtt_client: MakeClient = MqttClient
    """Makes the clients of MQTT brokers."""
    host_facts: Callable[[Path], HostFacts] = facts_of_this_machine
    """Says what machine the node runs on."""
    zone: tzinfo | None = None
    """Of the local times that devices are told; the machine's, without."""
    listens: bool = True
    """Whether the ports of services are listened at; where not, nobody reaches a service through this node."""
