"""The running node, by what it says and answers."""

from typing import Any

import pytest

from edgecore.doctor.node import a_service, check_dns, check_lookup, check_node, dns_addresses, led_names
from edgecore.doctor.resolver import Led

SERVICE = {"namespace": "default", "name": "web", "fake_ip": "127.251.0.1"}
NAME = "web.default.svc.cluster.local"


def test_a_node_that_does_not_run_is_a_note() -> None:
    (finding,) = check_node(None, "no such socket")
    assert (finding.level, "no such socket" in finding.text) == ("note", True)


def test_a_node_that_is_well_is_ok() -> None:
    assert [finding.level for finding in check_node({"node": "edge-1", "state": "ok"}, "")] == ["ok"]


def test_each_reason_of_a_degraded_node_is_a_warning_up_to_five() -> None:
    status = {"node": "edge-1", "state": "degraded", "reasons": [f"reason {number}" for number in range(7)]}
    found = check_node(status, "")
    assert [finding.level for finding in found] == ["warning"] * 6
    assert (found[0].text.endswith("but reason 0"), found[-1].text) == (True, "and 2 more reasons")


@pytest.mark.parametrize(
    ("listening", "addresses"),
    [
        (["127.0.0.1:53", "[::1]:10053"], [("127.0.0.1", 53), ("::1", 10053)]),
        ([], []),
        (["rubbish"], []),
    ],
)
def test_the_addresses_of_dns_are_those_of_the_status(listening: list[str], addresses: list[Any]) -> None:
    assert dns_addresses({"mesh": {"dns": {"listening": listening}}}) == addresses
    assert dns_addresses({}) == []


@pytest.mark.parametrize(
    ("services", "found"),
    [
        ([SERVICE], (NAME, "127.251.0.1")),
        ([SERVICE | {"fake_ip": None}, SERVICE], (NAME, "127.251.0.1")),
        ([SERVICE | {"name": "--help"}], None),
        ([SERVICE | {"name": "a b"}], None),
        ([], None),
    ],
)
def test_a_service_is_taken_that_has_an_address_and_a_plain_name(services: list[Any], found: object) -> None:
    assert a_service({"mesh": {"services": services}}, "cluster.local") == found


@pytest.mark.parametrize(
    ("answer", "level"),
    [({"status": "NOERROR"}, "ok"), ({"status": "SERVFAIL"}, "warning"), ("none within 2 s", "problem")],
)
def test_dns_is_judged_by_its_answer(answer: Any, level: str) -> None:
    (finding,) = check_dns("127.0.0.1:53", "cluster.local SOA", answer)
    assert finding.level == level


@pytest.mark.parametrize(
    ("found", "is_named", "levels"),
    [
        (["127.251.0.1"], False, ["ok"]),
        ([], False, ["note"]),
        ([], True, ["warning"]),
        (["10.0.0.1"], True, ["warning"]),
        (None, True, []),
    ],
)
def test_what_programs_of_the_host_find_is_told(found: list[str] | None, is_named: bool, levels: list[str]) -> None:
    findings = check_lookup(NAME, "127.251.0.1", found, is_named=is_named)
    assert [finding.level for finding in findings] == levels


def test_a_node_that_is_first_in_a_file_that_programs_do_not_read_is_told() -> None:
    (finding,) = check_lookup(NAME, "127.251.0.1", [], is_named=True, resolv_conf="/run/other/resolv.conf")
    assert finding.level == "warning"
    assert finding.advice.startswith("name the node in /etc/resolv.conf too: programs do not read /run/other")


def test_what_rules_lead_to_the_node_is_read_from_its_status() -> None:
    led = {"wanted": True, "servers": ["192.0.2.1"], "text": "", "problem": ""}
    assert led_names({"mesh": {"dns": {"led": led}}}) == Led(("192.0.2.1",))
    refused = led | {"servers": [], "text": "cannot", "problem": "cannot"}
    assert led_names({"mesh": {"dns": {"led": refused}}}) == Led((), "cannot", is_problem=True)


@pytest.mark.parametrize(
    "status", [{}, {"mesh": None}, {"mesh": {"dns": {}}}, {"mesh": {"dns": {"led": {"wanted": False}}}}]
)
def test_a_node_that_leads_no_questions_has_nothing_to_say_of_it(status: dict[str, Any]) -> None:
    assert led_names(status) is None
