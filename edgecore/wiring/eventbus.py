"""Makes EventBus and says which brokers it speaks with."""

import os
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from edgecore.beehive.port import Port
from edgecore.config.eventbus import EventBus as EventBusSettings
from edgecore.config.eventbus import EventBusTls, ExternalBroker
from edgecore.modules.eventbus.broker.embedded import EmbeddedBroker
from edgecore.modules.eventbus.broker.recipe import LIBRARY, BrokerRecipe, find_python, listening_host
from edgecore.modules.eventbus.brokerlink import BrokerLink, Receiver, Room
from edgecore.modules.eventbus.endpoint import Endpoint, Login, Tls, Will
from edgecore.modules.eventbus.module import EventBus
from edgecore.wiring.parts import Parts

EXTERNAL = "external"
INTERNAL = "internal"


def make_eventbus(parts: Parts, port: Port) -> EventBus:
    """Return the module ``eventbus``."""
    settings = parts.config.modules.event_bus
    jitter = random.Random()  # noqa: S311 - spreads reconnects, guards nothing
    room = Room(settings.queue_size, settings.queue_bytes)
    internal = _internal_broker(settings, parts)

    def make_link(endpoint: Endpoint, receiver: Receiver) -> BrokerLink:
        return BrokerLink(
            endpoint,
            receiver,
            parts.metrics,
            clock=parts.clock,
            new_id=port.new_id,
            jitter=jitter,
            room=room,
            ready=internal.ready if internal is not None and endpoint.name == INTERNAL else None,
        )

    return EventBus(
        port,
        parts.metrics,
        parts.store,
        node=parts.config.node_name,
        endpoints=tuple(endpoints(settings)),
        make_link=make_link,
        endpoints_of=lambda config: endpoints(config.modules.event_bus),
        upload_form=settings.upload_form,
        companions=() if internal is None else (internal,),
    )


def endpoints(settings: EventBusSettings) -> Iterator[Endpoint]:
    """Yield the brokers of ``mqttMode``: 0 the internal one, 1 both, 2 the external one.

    The external one is expected where a setting differs from its default; a minimal configuration spells defaults out.
    """
    if settings.mqtt_mode != 0:
        yield _external(settings, settings.external)._replace(expected=settings != EventBusSettings())
    if settings.mqtt_mode != 2:
        _, host, port = settings.internal_address
        yield Endpoint(
            INTERNAL,
            host,
            port,
            qos=settings.mqtt_qos,
            retain=settings.mqtt_retain,
            max_packet_bytes=settings.max_packet_bytes,
        )


def _internal_broker(settings: EventBusSettings, parts: Parts) -> EmbeddedBroker | None:
    """Return the embedded broker where ``mqttMode`` has it. Raises ``ConfigError`` where it cannot be run."""
    if settings.mqtt_mode == 2:
        return None
    _, host, port = settings.internal_address
    recipe = BrokerRecipe(
        find_python(settings.internal.python, os.environ, has_library=find_spec(LIBRARY) is not None),
        listening_host(host),
        port,
        queue=settings.mqtt_session_queue_size,
        packet_bytes=settings.max_packet_bytes,
    )
    broker = EmbeddedBroker(recipe, parts.clock)
    parts.metrics.pull(broker.families)
    return broker


def _external(settings: EventBusSettings, how: ExternalBroker) -> Endpoint:
    _, host, port = settings.external_address
    login = will = None
    if settings.mqtt_username:
        login = Login(settings.mqtt_username, settings.mqtt_password, _path(settings.mqtt_password_file))
    if how.will_topic:
        will = Will(how.will_topic, how.will_payload, how.will_qos, how.will_retain)
    return Endpoint(
        EXTERNAL,
        host,
        port,
        tls=_tls(settings.event_bus_tls) if settings.external_by_tls else None,
        login=login,
        will=will,
        version=how.protocol_version,
        qos=how.publish_qos,
        max_inflight=how.max_inflight,
        max_packet_bytes=settings.max_packet_bytes,
        keep_alive_s=how.keep_alive,
        connect_timeout_s=how.connect_timeout,
        subscriber_id=settings.mqtt_sub_client_id,
        publisher_id=settings.mqtt_pub_client_id,
    )


def _tls(files: EventBusTls) -> Tls:
    return Tls(
        _path(files.tls_mqtt_ca_file),
        _path(files.tls_mqtt_cert_file),
        _path(files.tls_mqtt_private_key_file),
        files.server_name,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
