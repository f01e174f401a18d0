import copy
from typing import Any

import pytest

from edgecore.cli.services_report import service_text, services_table

Json = dict[str, Any]


def backend(**values: Any) -> Json:
    found: Json = {
        "pod": "web-a",
        "endpoint": "10.0.0.1:8000",
        "state": "in",
        "reason": "",
        "for_s": None,
        "left_out_by": 0,
        "processes": 1,
        "requests": 10,
        "errors": {},
        "p50_ms": 1.5,
        "p99_ms": 9.75,
        "active": 1,
        "connections": 2,
        "ejections": 0,
    }
    return found | values


PORT: Json = {
    "name": "http",
    "port": 80,
    "protocol": "TCP",
    "transport": "tcp",
    "state": "listening",
    "reason": "",
    "handling": "http",
    "handling_from": "name",
    "strategy": "RoundRobin",
    "policy": {},
    "panicking": False,
    "requests": 12,
    "codes": {"200": 11, "503": 1},
    "refused": {},
    "retries": 0,
    "errors": 0,
    "p50_ms": 1.5,
    "p99_ms": 9.75,
    "backends": [],
    "gone": {"requests": 0, "errors": {}},
}


@pytest.fixture
def service() -> Json:
    return {
        "namespace": "default",
        "name": "web",
        "type": "ClusterIP",
        "headless": False,
        "external_name": None,
        "fake_ip": "127.251.0.1",
        "ready": True,
        "ports": [copy.deepcopy(PORT)],
        "named_pods": [],
    }


def test_all_services_are_a_table_by_namespace_and_name() -> None:
    services = [
        {
            "namespace": "shop",
            "name": "cart",
            "fake_ip": "127.251.0.2",
            "ports": [
                PORT,
                PORT | {"port": 53, "transport": "udp", "handling": "datagrams", "strategy": "ConsistentHash"},
                PORT | {"port": 90, "handling": "sniff"},
                PORT | {"port": 91, "handling": None, "strategy": None, "reason": "duplicate_port"},
            ],
            "backends": {"in": 3, "all": 4},
            "requests": 12,
            "errors": 3,
        },
        {"namespace": "default", "name": "out", "external_name": "example.com", "ports": [], "backends": {}},
    ]

    assert [line.split() for line in services_table(services).splitlines()] == [
        ["NAMESPACE", "NAME", "FAKE-IP", "PORTS", "STRATEGY", "BACKENDS", "REQUESTS", "ERRORS"],
        ["default", "out", "example.com", "-", "-", "0/0", "0", "0"],
        [
            *("shop", "cart", "127.251.0.2", "80/http,53/udp,90/any,91/tcp(duplicate_port)"),
            *("RoundRobin,ConsistentHash", "3/4", "12", "3"),
        ],
    ]


def test_without_services_that_is_said_unless_a_program_reads() -> None:
    assert services_table([]) == "the node has no services\n"
    assert services_table([], headers=False) == ""


def test_the_head_of_the_table_can_be_left_out() -> None:
    assert services_table([{"namespace": "a", "name": "b"}], headers=False).startswith("a")


def test_one_service_has_its_ports_with_what_is_spoken_and_became_of_it(service: Json) -> None:
    service["ports"][0]["backends"] = [
        backend(),
        backend(pod="web-b", endpoint=None, state="out", reason="not_ready", p50_ms=None, p99_ms=None),
    ]

    more = "    ACTIVE   CONNECTIONS   EJECTIONS"
    assert service_text(service).splitlines() == [
        "service default/web: ClusterIP, ready",
        "  at 127.251.0.1 on this node",
        "",
        "port 80/TCP http: listening",
        "  speaks    HTTP, as its name says",
        "  strategy  RoundRobin",
        "  requests  12 (200: 11, 503: 1), 2 under way",
        "  answers   begin within 1.5 ms (p50), 9.75 ms (p99)",
        f"  POD     BACKEND         STATE   REASON      REQUESTS   ERRORS   P50      P99   {more}",
        "  web-a   10.0.0.1:8000   in                  10         0        1.5 ms   9.75 ms   1        2             0",
        "  web-b   -               out     not_ready   10         0        -        -         1        2             0",
    ]


def test_what_the_service_asks_for_in_vain_is_told_at_its_head(service: Json) -> None:
    service["problems"] = ["cannot use annotation edgemesh.kubeedge.io/retries 'many': it is no number"]

    assert service_text(service).splitlines()[2] == (
        "  ignored: cannot use annotation edgemesh.kubeedge.io/retries 'many': it is no number"
    )


def test_what_is_out_of_the_ordinary_has_a_line(service: Json) -> None:
    service["ports"][0] |= {
        "policy": {"retries": 5, "checks": "tcp"},
        "retries": 3,
        "refused": {"all_ejected": 2},
        "codes": {"0": 4},
        "panicking": True,
        "gone": {"requests": 7, "errors": {"connect_failed": 1}},
    }

    told = service_text(service)

    assert "  strategy  RoundRobin; retries 5, checks tcp\n" in told
    assert "  requests  12 (no HTTP: 4), 3 retries; refused (all_ejected: 2)\n" in told
    assert "  panic     so few backends are well that all are used\n" in told
    assert "  gone      7 requests went to backends that are gone (connect_failed: 1)\n" in told
    assert "  backends  none\n" in told


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state": "out", "reason": "ejected", "for_s": 65.0, "left_out_by": 1}, "ejected for 1 min 5 s"),
        ({"state": "out", "reason": "check_failed", "left_out_by": 1}, "check_failed"),
        (
            {"reason": "ejected", "for_s": 3.0, "left_out_by": 1, "processes": 3},
            "ejected for 3 s by 1 of 3 processes",
        ),
        ({"reason": "trial"}, "trial"),
        (
            {"state": "out", "reason": "check_failed", "check_error": "connection refused"},
            "check_failed (connection refused)",
        ),
        ({"reason": "ejected", "for_s": 3.0}, "ejected for 3 s, used all the same"),
    ],
)
def test_why_a_backend_is_out_is_said_with_how_long_and_by_whom(service: Json, values: Json, reason: str) -> None:
    service["ports"][0]["backends"] = [backend(**values)]

    assert f"  {reason}  " in service_text(service)


def test_the_last_error_is_told_with_its_age(service: Json) -> None:
    service["ports"][0]["backends"] = [backend(last_error="connect_failed", last_error_ago_s=65.0)]

    assert service_text(service).splitlines()[-2].endswith("   LAST-ERROR")
    assert service_text(service).splitlines()[-1].endswith("   connect_failed 1 min 5 s ago")


def test_errors_are_told_by_reason(service: Json) -> None:
    service["ports"][0]["backends"] = [backend(errors={"connect_failed": 2, "gateway_502": 1})]

    assert "   3 (connect_failed: 2, gateway_502: 1)   " in service_text(service)


def test_a_port_that_is_not_served_says_why_and_no_more(service: Json) -> None:
    service["ports"] = [PORT | {"state": "not_served", "reason": "no_port_number", "handling": None}]

    assert service_text(service).splitlines()[3:] == ["port 80/TCP http: not served (no_port_number)"]


def test_an_external_name_says_what_it_stands_for(service: Json) -> None:
    service |= {"type": "ExternalName", "external_name": "example.com", "fake_ip": None, "ports": []}

    assert service_text(service).splitlines() == [
        "service default/web: ExternalName, ready",
        "  stands for example.com",
        "  without ports",
    ]


def test_pods_with_names_are_a_table(service: Json) -> None:
    service["named_pods"] = [
        {
            "hostname": "web-0",
            "fake_ip": "127.251.0.9",
            "pods": ["web-0"],
            "ports": [PORT | {"backends": [backend(), backend(state="out")]}],
        }
    ]

    assert service_text(service).splitlines()[-3:] == [
        "pods with names of their own",
        "  HOSTNAME   FAKE-IP       PODS    BACKENDS   REQUESTS   ERRORS",
        "  web-0      127.251.0.9   web-0   1/2        12         0",
    ]


def test_what_a_node_of_another_version_does_not_say_is_left_out() -> None:
    assert "service ?/?" in service_text({"ports": [{"handling": "quic"}]})
    assert "?" in services_table([{}])


def test_nothing_a_cloud_says_moves_the_cursor(service: Json) -> None:
    service["ports"][0] |= {"name": "\x1b[2J", "backends": [backend(pod="\x1b[2J")]}

    assert "\x1b" not in service_text(service)
    assert "\x1b" not in services_table([service | {"backends": {}, "name": "\x1b"}])


def test_in_mode_intercept_the_table_says_which_plane_serves_the_ports(service: Json) -> None:
    service["ports"] = [
        PORT | {"plane": "kernel", "plane_reason": None, "handling": "bytes"},
        PORT | {"port": 81, "plane": "proxy", "plane_reason": "http"},
    ]
    rootless = service | {"ports": [PORT | {"plane": "proxy", "plane_reason": "rootless"}]}

    head, row = services_table([service]).splitlines()
    assert head.split()[4] == "PLANE"
    assert row.split()[4] == "kernel,proxy"
    assert "PLANE" not in services_table([rootless])


def test_a_port_says_which_plane_serves_it_and_why(service: Json) -> None:
    service["ports"] = [
        PORT | {"plane": "kernel", "plane_reason": None, "plane_text": ""},
        PORT | {"port": 81, "plane": "proxy", "plane_reason": "strategy", "plane_text": "the kernel knows others"},
        PORT | {"port": 82, "plane": "proxy", "plane_reason": "rootless", "plane_text": "no rules"},
    ]

    told = [line.strip() for line in service_text(service).splitlines() if line.strip().startswith("plane")]
    assert told == ["plane     kernel", "plane     proxy: the kernel knows others"]
