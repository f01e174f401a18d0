"""The settings of EventBus, and the brokers that they mean."""

from pathlib import Path

import pytest

from edgecore.config.addresses import ServerAddress, parse_broker
from edgecore.config.eventbus import EventBus, EventBusTls, ExternalBroker
from edgecore.config.schema import EdgeCoreConfig, Modules
from edgecore.config.validate import validate
from edgecore.modules.eventbus.endpoint import Endpoint, Login, Tls, Will
from edgecore.wiring.eventbus import EXTERNAL, endpoints


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://127.0.0.1:1883", ServerAddress("tcp", "127.0.0.1", 1883)),
        ("broker.example", ServerAddress("tcp", "broker.example", 1883)),
        ("mqtts://[::1]", ServerAddress("mqtts", "::1", 8883)),
        ("SSL://h:1", ServerAddress("ssl", "h", 1)),
    ],
)
def test_a_broker_is_a_scheme_a_host_and_a_port(text: str, address: ServerAddress) -> None:
    assert parse_broker(text) == address


@pytest.mark.parametrize("text", ["", "tcp://", "tcp://h:0", "tcp://h:99999", "tcp://h/x", "tcp://a b"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|address"):
        parse_broker(text)


@pytest.mark.parametrize(("mode", "names"), [(0, ["internal"]), (1, ["external", "internal"]), (2, ["external"])])
def test_the_mode_says_which_brokers(mode: int, names: list[str]) -> None:
    assert [each.name for each in endpoints(EventBus(mqtt_mode=mode))] == names  # type: ignore[arg-type]


def test_the_external_broker_is_spoken_to_with_qos_1_and_the_internal_one_as_it_is_set() -> None:
    external, internal = endpoints(EventBus(mqtt_mode=1, mqtt_qos=2, mqtt_retain=True))
    assert (external.qos, external.retain, external.port) == (1, False, 1883)
    assert (internal.qos, internal.retain, internal.port) == (2, True, 1884)


def test_all_that_can_be_set_arrives() -> None:
    settings = EventBus(
        mqtt_server_external="tcp://b.example:1",
        event_bus_tls=EventBusTls(enable=True, tls_mqtt_ca_file="/ca", server_name="b"),
        mqtt_username="u",
        mqtt_password="p",
        external=ExternalBroker(protocol_version="5", publish_qos=0, will_topic="w", will_payload="x"),
    )
    (found,) = endpoints(settings)
    assert found == Endpoint(
        "external",
        "b.example",
        1,
        tls=Tls(Path("/ca"), server_name="b"),
        login=Login("u", "p"),
        will=Will("w", "x"),
        version="5",
        qos=0,
    )
    assert "'p'" not in repr(found)
    assert "mqtt_password=***" in repr(settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (EventBus(), False),
        (EventBus(mqtt_server_external="tcp://127.0.0.1:1883", mqtt_mode=2), False),
        (EventBus(mqtt_server_external="tcp://127.0.0.1:1884"), True),
        (EventBus(mqtt_username="node"), True),
        (EventBus(mqtt_mode=1), True),
    ],
)
def test_the_external_broker_is_missed_only_where_a_setting_differs_from_its_default(
    settings: EventBus, expected: bool
) -> None:
    assert [each.expected for each in endpoints(settings) if each.name == EXTERNAL] == [expected]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (EventBus(mqtt_server_internal="ssl://127.0.0.1:1884"), "mqttServerInternal"),
        (EventBus(mqtt_sub_client_id="a", mqtt_pub_client_id="a"), "mqttSubClientID"),
        (EventBus(mqtt_password="hidden"), "mqttUsername"),
        (EventBus(mqtt_password_file="/password"), "mqttUsername"),
    ],
)
def test_what_would_be_done_otherwise_than_it_says_is_refused(settings: EventBus, key: str) -> None:
    (problem,) = validate(EdgeCoreConfig(modules=Modules(event_bus=settings)))
    assert problem.path == f"modules.eventBus.{key}"
    assert "hidden" not in str(problem)


def test_two_client_ids_and_a_password_with_its_user_are_fine() -> None:
    settings = EventBus(mqtt_sub_client_id="a", mqtt_pub_client_id="b", mqtt_username="u", mqtt_password="p")
    assert validate(EdgeCoreConfig(modules=Modules(event_bus=settings))) == []
