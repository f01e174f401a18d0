import json
from typing import Any

import pytest

from edgecore.errors import ReplyTimeout, StoreError
from edgecore.modules.edgemesh.inventory import read_inventory
from edgecore.modules.edgemesh.msgprocess import (
    EndpointsChanged,
    PodChanged,
    PodsChanged,
    Rejected,
    ServiceChanged,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


def service(key: ServiceKey) -> bytes:
    return json.dumps(
        {"metadata": {"namespace": key.namespace, "name": key.name}, "spec": {"selector": {"app": key.name}}}
    ).encode()


async def test_each_service_comes_after_its_pods(meta: Any) -> None:
    meta.stored_services = [service(WEB), service(API)]
    meta.pod_lists = {WEB: b'[{"metadata":{"name":"web-0"}}]', API: b"null"}

    inventory = await read_inventory(meta, ())

    assert [(type(change), change.key) for change in inventory.changes if not isinstance(change, Rejected)] == [
        (PodsChanged, WEB),
        (ServiceChanged, WEB),
        (PodsChanged, API),
        (ServiceChanged, API),
    ]


async def test_a_service_without_stored_pods_comes_alone(meta: Any) -> None:
    meta.stored_services = [service(WEB)]

    inventory = await read_inventory(meta, ())

    assert [type(change) for change in inventory.changes] == [ServiceChanged]


async def test_listener_rows_are_read_for_services_that_are_not_settled(meta: Any) -> None:
    meta.stored_services = [service(WEB), service(API)]
    meta.listener_rows = {WEB: "127.251.0.1", API: "127.251.0.2"}

    inventory = await read_inventory(meta, {WEB})

    assert inventory.listeners == {WEB: None, API: "127.251.0.2"}
    assert ("listener", "default", "web") not in meta.calls


async def test_what_listener_rows_say_is_told_whoever_they_belong_to(meta: Any) -> None:
    meta.stored_services = [service(WEB)]
    meta.listener_rows = {WEB: "127.251.0.1", API: "9.251.0.2"}

    assert (await read_inventory(meta, {WEB})).said == {"127.251.0.1", "9.251.0.2"}


async def test_a_stored_service_that_cannot_be_used_leaves_the_others(meta: Any) -> None:
    meta.stored_services = [b"{", b'{"metadata":{"name":"nowhere"}}', b'"OK"', service(WEB)]

    inventory = await read_inventory(meta, ())

    assert [type(change) for change in inventory.changes] == [Rejected, Rejected, Rejected, ServiceChanged]
    assert list(inventory.listeners) == [WEB]


async def test_stored_pods_that_cannot_be_used_leave_their_service(meta: Any) -> None:
    meta.stored_services = [service(WEB)]
    meta.pod_lists = {WEB: b"{}"}

    inventory = await read_inventory(meta, ())

    assert [type(change) for change in inventory.changes] == [Rejected, ServiceChanged]


async def test_a_listener_row_that_is_no_text_is_no_address(meta: Any) -> None:
    meta.stored_services = [service(WEB)]
    meta.failures = []

    async def unreadable(namespace: str, name: str) -> str | None:
        raise StoreError(f"cannot read listener row of {namespace}/{name}")

    meta.listener = unreadable

    inventory = await read_inventory(meta, ())

    assert inventory.listeners == {WEB: "unreadable"}


async def test_no_answer_is_an_error(meta: Any) -> None:
    meta.failures = [ReplyTimeout("timeout to get response")]

    with pytest.raises(ReplyTimeout):
        await read_inventory(meta, ())


def pod(hostname: str, subdomain: str) -> dict[str, Any]:
    return {"metadata": {"name": hostname}, "spec": {"hostname": hostname, "subdomain": subdomain}}


async def test_pods_with_names_are_to_have_addresses_and_no_listener_rows(meta: Any) -> None:
    meta.stored_services = [service(WEB), service(API)]
    meta.pod_lists = {WEB: json.dumps([pod("web-0", "web"), pod("other", "")]).encode(), API: b"null"}

    inventory = await read_inventory(meta, ())

    assert inventory.listeners == {WEB: None, WEB.pod("web-0"): None, API: None}
    assert [call[1:] for call in meta.calls if call[0] == "listener"] == [WEB, API]


async def test_an_external_name_is_to_have_no_address_nor_are_its_pods(meta: Any) -> None:
    meta.stored_services = [
        json.dumps(
            {"metadata": {"namespace": "default", "name": "web"}, "spec": {"type": "ExternalName", "externalName": "x"}}
        ).encode()
    ]
    meta.pod_lists = {WEB: json.dumps([pod("web-0", "web")]).encode()}

    inventory = await read_inventory(meta, ())

    assert inventory.listeners == {}
    assert [type(change) for change in inventory.changes] == [PodsChanged, ServiceChanged]


def of(key: ServiceKey) -> bytes:
    return json.dumps({"metadata": {"namespace": key.namespace, "name": key.name}}).encode()


async def test_pods_of_the_node_come_first_and_endpoints_before_their_service(meta: Any) -> None:
    meta.stored_services = [service(WEB)]
    meta.pod_lists = {WEB: b"null"}
    meta.stored_pods = [json.dumps({"metadata": {"namespace": "default", "name": "web-0"}}).encode()]
    meta.stored_endpoints = [of(API), of(WEB)]

    inventory = await read_inventory(meta, ())

    assert [(type(change), change.key) for change in inventory.changes if not isinstance(change, Rejected)] == [
        (PodChanged, PodKey("default", "web-0")),
        (PodsChanged, WEB),
        (EndpointsChanged, WEB),
        (ServiceChanged, WEB),
        (EndpointsChanged, API),
    ]


async def test_stored_pods_and_endpoints_that_cannot_be_used_leave_the_rest(meta: Any) -> None:
    meta.stored_services = [service(WEB)]
    meta.stored_pods = [b"[]"]
    meta.stored_endpoints = [b"{}", b"3"]

    inventory = await read_inventory(meta, ())

    assert [type(change) for change in inventory.changes] == [Rejected, Rejected, Rejected, ServiceChanged]


async def test_a_service_without_a_selector_has_no_pods_with_names(meta: Any) -> None:
    meta.stored_services = [of(WEB)]
    meta.pod_lists = {WEB: json.dumps([pod("web-0", "web")]).encode()}

    assert (await read_inventory(meta, ())).listeners == {WEB: None}
