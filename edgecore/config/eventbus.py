"""The settings of EventBus (``modules.eventBus`` of ``edgecore.yaml``)."""

from typing import Annotated, Literal

from msgspec import field

from edgecore.config import rules
from edgecore.config.addresses import TLS_SCHEMES, ServerAddress, parse_broker
from edgecore.config.keys import Enable, Key, Section


class EventBusTls(Section, frozen=True, kw_only=True):
    """``modules.eventBus.eventBusTLS``, under the names of later KubeEdge versions."""

    enable: Annotated[
        bool,
        Key(help="Whether the external broker is reached by TLS, also where its address does not say so.", reload=True),
    ] = False
    tls_mqtt_ca_file: Annotated[
        str,
        Key(
            help="The CA that the broker is checked against; nothing: those of the system.",
            reload=True,
            rule=rules.FILE_OR_NOTHING,
        ),
    ] = field(default="", name="tlsMqttCAFile")
    tls_mqtt_cert_file: Annotated[
        str, Key(help="The certificate that is shown to the broker, if any.", reload=True, rule=rules.FILE_OR_NOTHING)
    ] = ""
    tls_mqtt_private_key_file: Annotated[
        str, Key(help="The key of that certificate.", reload=True, rule=rules.FILE_OR_NOTHING)
    ] = ""
    server_name: Annotated[
        str,
        Key(
            help="The name that the broker's certificate is to have, where it is not the host of the address.",
            reload=True,
        ),
    ] = ""


class ExternalBroker(Section, frozen=True, kw_only=True):
    """``modules.eventBus.external``."""

    protocol_version: Annotated[Literal["3.1.1", "5"], Key(help="The version of MQTT.", reload=True)] = "3.1.1"
    publish_qos: Annotated[
        Literal[0, 1, 2], Key(help="Quality of service of what is published on the external broker.", reload=True)
    ] = field(default=1, name="publishQOS")
    max_inflight: Annotated[
        int,
        Key(
            help="The most messages that are published and not acknowledged.",
            reload=True,
            rule=rules.between(1, 65_535, "messages"),
        ),
    ] = 100
    keep_alive: Annotated[
        int,
        Key(help="Time in silence, then the broker is asked.", reload=True, rule=rules.between(1, 65_535, "seconds")),
    ] = 30
    connect_timeout: Annotated[
        float, Key(help="The longest from the dial to the broker's answer.", reload=True, rule=rules.SECONDS)
    ] = 10
    will_topic: Annotated[
        str, Key(help="Where the broker says that the node is gone; nothing: nowhere.", reload=True, rule=rules.TOPIC)
    ] = ""
    will_payload: Annotated[str, Key(help="What it says.", reload=True)] = ""
    will_qos: Annotated[Literal[0, 1, 2], Key(help="Quality of service of that.", reload=True)] = field(
        default=1, name="willQOS"
    )
    will_retain: Annotated[bool, Key(help="Whether the broker keeps that.", reload=True)] = False


class InternalBroker(Section, frozen=True, kw_only=True):
    """``modules.eventBus.internal``."""

    python: Annotated[
        str,
        Key(help="A Python with amqtt, which runs the broker; nothing: $EDGECORE_BROKER_PYTHON, or the node's own."),
    ] = ""


class Mirror(Section, frozen=True, kw_only=True):
    """``modules.eventBus.mirror``."""

    enable: Annotated[
        bool,
        Key(help="Whether messages between modules, and states, are shown on MQTT below edgecore/NODE.", reload=True),
    ] = False
    rate: Annotated[
        int,
        Key(
            help="The most messages a second that are shown; what is left out is counted.",
            reload=True,
            rule=rules.between(1, 100_000, "messages"),
        ),
    ] = 100
    burst: Annotated[
        int,
        Key(help="So many may be shown at once.", reload=True, rule=rules.between(1, 10_000, "messages")),
    ] = 500
    share: Annotated[
        int,
        Key(
            help="The most of the node's time that showing messages may take, in percent.",
            reload=True,
            rule=rules.between(1, 100),
        ),
    ] = 1
    watched_rate: Annotated[
        int,
        Key(
            help="The same as rate while somebody watches, as brokers of MQTT 5 say.",
            reload=True,
            rule=rules.between(1, 100_000, "messages"),
        ),
    ] = 5000
    watched_burst: Annotated[
        int,
        Key(help="The same as burst while somebody watches.", reload=True, rule=rules.between(1, 10_000, "messages")),
    ] = 10_000
    watched_share: Annotated[
        int,
        Key(help="The same as share while somebody watches, in percent.", reload=True, rule=rules.between(1, 100)),
    ] = 10
    max_bytes: Annotated[
        int,
        Key(
            help="A longer message is shown without its content.",
            reload=True,
            rule=rules.between(1024, 16_777_216, "bytes"),
        ),
    ] = 65_536
    redact: Annotated[bool, Key(help="Whether secrets are replaced, as in recordings.", reload=True)] = True
    protocol_version: Annotated[
        Literal["auto", "3.1.1", "5"],
        Key(help="The version of MQTT; auto: 5, with 3.1.1 where the broker does not take it.", reload=True),
    ] = "auto"
    state_interval: Annotated[
        float, Key(help="How often states are looked at, at most.", reload=True, rule=rules.SECONDS)
    ] = 1


class Inject(Section, frozen=True, kw_only=True):
    """``modules.eventBus.inject``."""

    enable: Annotated[
        bool,
        Key(
            help="Whether who publishes to edgecore/NODE/inject/MODULE puts a message on the bus: full power over it.",
            reload=True,
        ),
    ] = False
    rate: Annotated[
        int,
        Key(
            help="The most messages a second; others are refused and counted.",
            reload=True,
            rule=rules.between(1, 10_000, "messages"),
        ),
    ] = 20
    max_bytes: Annotated[
        int,
        Key(help="A longer one is refused.", reload=True, rule=rules.between(1024, 16_777_216, "bytes")),
    ] = 1_048_576


class EventBus(Section, frozen=True, kw_only=True):
    """``modules.eventBus``."""

    enable: Enable = True
    event_bus_tls: Annotated[EventBusTls, Key(help="TLS to the external broker.", ours=True)] = field(
        default=EventBusTls(), name="eventBusTLS"
    )
    external: Annotated[ExternalBroker, Key(help="How the external broker is spoken to.", ours=True)] = ExternalBroker()
    inject: Annotated[Inject, Key(help="A way in for people and tests, off by default.", ours=True)] = Inject()
    internal: Annotated[InternalBroker, Key(help="How the internal broker is run.", ours=True)] = InternalBroker()
    mirror: Annotated[Mirror, Key(help="The bus on MQTT, for people to watch.", ours=True)] = Mirror()
    mqtt_mode: Annotated[
        Literal[0, 1, 2], Key(help="Which broker: 0 the internal one, 1 both, 2 an external one.", minimal=True)
    ] = 2
    mqtt_password: Annotated[
        str,
        Key(help="The password for the external broker; KubeEdge has it later.", ours=True, secret=True, reload=True),
    ] = ""
    mqtt_password_file: Annotated[
        str,
        Key(
            help="A file whose first line is that password; read at each connect.",
            rule=rules.FILE_OR_NOTHING,
            ours=True,
            reload=True,
        ),
    ] = ""
    mqtt_pub_client_id: Annotated[
        str,
        Key(
            help="The client id of who publishes; nothing: one that nobody else has. KubeEdge has it later.",
            rule=rules.CLIENT_ID,
            ours=True,
        ),
    ] = field(default="", name="mqttPubClientID")
    mqtt_qos: Annotated[
        Literal[0, 1, 2],
        Key(help="Quality of service of what is published on the internal broker.", minimal=True),
    ] = field(default=0, name="mqttQOS")
    mqtt_retain: Annotated[bool, Key(help="Whether the internal broker keeps what is published.", minimal=True)] = False
    mqtt_server_external: Annotated[
        str, Key(help="The external broker.", rule=rules.BROKER, minimal=True, reload=True)
    ] = "tcp://127.0.0.1:1883"
    mqtt_server_internal: Annotated[str, Key(help="The internal broker.", rule=rules.PLAIN_BROKER, minimal=True)] = (
        "tcp://127.0.0.1:1884"
    )
    mqtt_session_queue_size: Annotated[
        int, Key(help="Messages that wait for one client of the internal broker.", rule=rules.POSITIVE)
    ] = 100
    mqtt_sub_client_id: Annotated[
        str,
        Key(
            help="The client id of who subscribes; nothing: one that nobody else has. KubeEdge has it later.",
            rule=rules.CLIENT_ID,
            ours=True,
        ),
    ] = field(default="", name="mqttSubClientID")
    mqtt_username: Annotated[
        str, Key(help="Who the node is to the external broker; KubeEdge has it later.", ours=True, reload=True)
    ] = ""
    max_packet_bytes: Annotated[
        int,
        Key(
            help="The largest packet that is taken from a broker; one that is larger ends the connection.",
            rule=rules.between(1024, 2**28, "bytes"),
            ours=True,
        ),
    ] = 8_388_608
    queue_bytes: Annotated[
        int,
        Key(
            help="The most bytes that wait for one broker; the oldest go first.",
            rule=rules.between(65_536, 2**31 - 1, "bytes"),
            ours=True,
        ),
    ] = 16_777_216
    queue_size: Annotated[
        int,
        Key(
            help="The most messages that wait for one broker.",
            rule=rules.between(1, 1_000_000, "messages"),
            ours=True,
        ),
    ] = 10_000
    upload_form: Annotated[
        Literal["1.3", "1.6"],
        Key(
            help="How uploads go to the cloud: as KubeEdge 1.3 has them, whose cloud discards them, or 1.6 and later.",
            ours=True,
        ),
    ] = "1.3"

    @property
    def external_address(self) -> ServerAddress:
        """``mqtt_server_external`` taken apart."""
        return parse_broker(self.mqtt_server_external)

    @property
    def external_by_tls(self) -> bool:
        """Whether the external broker is reached by TLS."""
        return self.event_bus_tls.enable or self.external_address.scheme in TLS_SCHEMES

    @property
    def internal_address(self) -> ServerAddress:
        """``mqtt_server_internal`` taken apart."""
        return parse_broker(self.mqtt_server_internal)
