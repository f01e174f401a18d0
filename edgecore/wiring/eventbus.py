"""Makes EventBus and says which brokers it speaks with."""

import os
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from edgecore.beehive.bus import Bus
from edgecore.beehive.port import Port
from edgecore.config.eventbus import EventBus as EventBusSettings
from edgecore.config.eventbus import EventBusTls, ExternalBroker
from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.eventbus.broker.embedded import EmbeddedBroker
from edgecore.modules.eventbus.broker.recipe import LIBRARY, BrokerRecipe, find_python, listening_host
from edgecore.modules.eventbus.brokerlink import BrokerLink, Receiver, Room
from edgecore.modules.eventbus.client import MqttClient
from edgecore.modules.eventbus.endpoint import Endpoint, Login, Tls, Will
from edgecore.modules.eventbus.mirror.mirror import Mirror
from edgecore.modules.eventbus.mirror.mirrorlink import Heard, MirrorLink
from edgecore.modules.eventbus.mirror.payload import Redact
from edgecore.modules.eventbus.mirror.settings import MirrorSettings, Sights
from edgecore.modules.eventbus.module import EventBus
from edgecore.recording.entries import BusMessage
from edgecore.recording.redaction import Redactor
from edgecore.wiring.parts import Parts

EXTERNAL = "external"
INTERNAL = "internal"


def make_eventbus(parts: Parts, port: Port, bus: Bus, sights: Sights, *, redaction_key: bytes) -> EventBus:
    """Return the module ``eventbus``; ``sights`` is what brokers are shown of the node.

    Secrets in what they are shown are replaced under ``redaction_key``, which nobody else is to have.
    """
    settings = parts.config.modules.event_bus
    jitter = parts.outside.new_random()  # spreads reconnects
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
            make_client=parts.outside.make_mqtt_client,
        )

    mirror = _make_mirror(parts, port, bus, sights, internal=internal, jitter=jitter, redaction_key=redaction_key)
    mirror.reload(parts.config)
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
        mirror=mirror,
        watch=parts.watch,
    )


def _make_mirror(
    parts: Parts,
    port: Port,
    bus: Bus,
    sights: Sights,
    *,
    internal: EmbeddedBroker | None,
    jitter: random.Random,
    redaction_key: bytes,
) -> Mirror:
    def make_mirror_link(endpoint: Endpoint, heard: Heard, version: str, will: Will | None) -> MirrorLink:
        is_internal = endpoint.name == INTERNAL  # whose broker speaks 3.1.1 alone
        return MirrorLink(
            endpoint,
            heard,
            clock=parts.clock,
            new_id=port.new_id,
            jitter=jitter,
            version="3.1.1" if is_internal else version,
            will=will,
            ready=internal.ready if internal is not None and is_internal else None,
        )

    return Mirror(
        port,
        bus,
        parts.metrics,
        parts.ledger,
        node=parts.config.node_name,
        make_link=make_mirror_link,
        redact=_redact(parts, redaction_key),
        sights=sights,
        meant=mirror_meant if parts.outside.make_mqtt_client is MqttClient else _nothing_meant,
    )


def mirror_meant(config: EdgeCoreConfig) -> tuple[MirrorSettings, tuple[Endpoint, ...]]:
    """Return how is mirrored, and with which brokers."""
    settings = config.modules.event_bus
    mirror, inject = settings.mirror, settings.inject
    meant = MirrorSettings(
        mirrors=mirror.enable,
        injects=inject.enable,
        rate=mirror.rate,
        burst=mirror.burst,
        share=mirror.share / 100,
        watched_rate=max(mirror.rate, mirror.watched_rate),
        watched_burst=max(mirror.burst, mirror.watched_burst),
        watched_share=max(mirror.share, mirror.watched_share) / 100,
        longest=mirror.max_bytes,
        redacts=mirror.redact,
        version=mirror.protocol_version,
        state_every_s=mirror.state_interval,
        inject_rate=inject.rate,
        inject_longest=inject.max_bytes,
    )
    return meant, tuple(endpoints(settings)) if meant.is_on else ()


def _nothing_meant(_config: EdgeCoreConfig) -> tuple[MirrorSettings, tuple[Endpoint, ...]]:
    """Return that nothing is mirrored: a replay has no brokers, and nobody watches it by MQTT."""
    return MirrorSettings(), ()


def _redact(parts: Parts, key: bytes) -> Redact:
    """Return who replaces secrets."""
    settings = parts.config.modules
    known = (settings.edge_hub.token, settings.event_bus.mqtt_password)
    redactor = Redactor(key, known)

    def redact(entry: BusMessage) -> BusMessage:
        redacted = redactor.entry(entry)
        return redacted if isinstance(redacted, BusMessage) else entry

    return redact


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
