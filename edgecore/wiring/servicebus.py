"""Makes ServiceBus."""

from edgecore.beehive.port import Port
from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.servicebus.module import CallRules, ServiceBus
from edgecore.modules.servicebus.places import Places
from edgecore.modules.servicebus.transport import Transport
from edgecore.wiring.parts import Parts

BESIDE_BODY_BYTES = 512 * 1024
"""What an answer may have beside its body: its header as JSON, every character escaped."""


def make_servicebus(parts: Parts, port: Port) -> ServiceBus:
    """Return the module ``servicebus``."""
    return ServiceBus(port, parts.metrics, Transport(parts.clock), call_rules(parts.config), rules_of=call_rules)


def call_rules(config: EdgeCoreConfig) -> CallRules:
    """Return what the settings say of calls."""
    bus = config.modules.service_bus
    # Base64 makes four bytes of three, and what is longer than a message may be would never arrive.
    longest = config.modules.edge_hub.max_message_bytes
    fitting = (longest - min(BESIDE_BODY_BYTES, longest // 2)) * 3 // 4
    places = Places(bus.places, only_targets=bus.only_targets)
    return CallRules(places, bus.timeout, bus.max_calls, min(bus.max_body_bytes, fitting))
