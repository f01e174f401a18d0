"""The status of a node as text."""

from typing import Any

import pytest

from edgecore.cli.status_report import report

Status = dict[str, Any]


def _section(text: str, title: str) -> list[list[str]]:
    """Return the rows of one table, without its head."""
    rows = text.split(f"\n{title}\n")[1].partition("\n\n")[0].splitlines()
    return [row.split() for row in rows[1:]]


def test_the_first_lines_say_who_how_and_why(status: Status) -> None:
    lines = report(status).splitlines()
    assert lines[0] == "node edge-1: degraded (edgecore 0.1.0, up 2 h 5 min)"
    assert lines[1] == "  because port 127.251.0.1:80 of default/nginx-svc is not bound: address already in use"


def test_the_link_is_shown_with_its_age_and_traffic(status: Status) -> None:
    line = "link: connected, ws://127.0.0.1:10000/e/p/edge-1, for 1 min 5 s; 4 sent, 9 received"
    assert line in report(status).splitlines()


def test_messages_that_somebody_holds_are_shown(status: Status) -> None:
    status["held"] = [{"to": "edgemesh", "operation": "delete", "resource": "default/service/web", "since_s": 65.2}]
    line = "held before edgemesh by hand, for 1 min 5 s: delete default/service/web (edgecore tap --break)"
    assert line in report(status).splitlines()


def test_pods_are_shown_by_phase(status: Status) -> None:
    status["parts"] = {"edged": {"pods": {"phases": {"Running": 3, "Failed": 1}}}}
    assert "pods: 3 Running, 1 Failed" in report(status).splitlines()


@pytest.mark.parametrize("parts", [{}, {"edged": {}}, {"edged": {"pods": {"phases": {}}}}])
def test_a_node_without_pods_says_nothing_of_them(status: Status, parts: Status) -> None:
    assert "pods:" not in report({**status, "parts": parts})


def test_brokers_are_shown_with_what_they_carried_and_what_waits(status: Status) -> None:
    broker = {"url": "tcp://h:1", "connected": {"subscribe": True, "publish": True}, "received": 3, "published": 5}
    away = {**broker, "connected": {"subscribe": True, "publish": False}, "queued": 2, "dropped": {"full": 4}}
    parts = {"eventbus": {"brokers": {"external": broker, "internal": away}}}

    lines = report({**status, "parts": parts}).splitlines()

    assert "mqtt: external tcp://h:1 connected, 3 in, 5 out" in lines
    assert "mqtt: internal tcp://h:1 not connected, 3 in, 5 out, 2 waiting, 4 dropped" in lines


def test_only_what_is_listened_on_is_listed(status: Status) -> None:
    assert "listening: control /run/edgecore.sock, observe http://127.0.0.1:10550" in report(status).splitlines()


@pytest.mark.parametrize(
    ("led", "line"),
    [
        (
            {"servers": ["192.0.2.1", "192.0.2.2"], "listener": "169.254.96.16:53", "text": ""},
            "names: questions to 192.0.2.1, 192.0.2.2 are led to 169.254.96.16:53",
        ),
        (
            {"servers": ["192.0.2.1"], "listener": "169.254.96.16:53", "text": "programs ask fd00::1 first"},
            "names: questions to 192.0.2.1 are led to 169.254.96.16:53; programs ask fd00::1 first",
        ),
        (
            {"servers": [], "listener": None, "text": "modules.edgeMesh.dns.intercept is false"},
            "names: no questions are led here: modules.edgeMesh.dns.intercept is false",
        ),
    ],
)
def test_name_servers_whose_questions_are_led_here_are_named(status: Status, led: Status, line: str) -> None:
    status["mesh"].setdefault("dns", {})["led"] = led
    assert line in report(status).splitlines()


def test_modules_are_shown_with_their_mailboxes(status: Status) -> None:
    rows = _section(report(status), "modules")
    assert rows[0] == ["websocket", "hub", "running", "0", "0", "3", "1024", "5", "6", "0.250", "s"]


def test_dropped_messages_are_shown_by_reason(status: Status) -> None:
    status["modules"][1]["mailbox"]["dropped"] = {"late_reply": 2, "mailbox_full": 0}
    assert "late_reply=2" in _section(report(status), "modules")[1]


def test_a_column_that_is_empty_everywhere_is_left_out(status: Status) -> None:
    assert "DROPPED" not in report(status)


def test_every_port_of_a_service_is_a_row(status: Status) -> None:
    assert _section(report(status), "services") == [
        ["default/nginx-svc", "127.251.0.1", "12345/TCP", "web", "80", "listening"],
        ["default/nginx-svc", "127.251.0.1", "80/TCP", "more", "81", "not_bound", "in_use"],
    ]


def test_a_service_without_ports_still_shows_its_address(status: Status) -> None:
    status["mesh"]["services"][0]["ports"] = []
    assert _section(report(status), "services") == [["default/nginx-svc", "127.251.0.1"]]


def test_a_pod_that_has_a_name_is_a_row_and_its_requests_are_shown(status: Status) -> None:
    (service,) = status["mesh"]["services"]
    pod = {"hostname": "web-0", "fake_ip": "127.251.0.2", "ports": service["ports"][:1], "backends": ["any"]}
    service["named_pods"] = [pod]
    served = {"endpoints": {"127.0.0.2:8080": 3}}
    status["mesh"]["proxy"] = {"requests": {"default/web-0.nginx-svc:12345": served}}
    text = report(status)

    assert _section(text, "services")[2] == [
        *("default/web-0.nginx-svc", "127.251.0.2", "12345/TCP", "web", "80", "listening")
    ]
    assert len(_section(text, "backends")) == 2
    assert _section(text, "requests") == [["default/web-0.nginx-svc", "12345", "127.0.0.2:8080", "3"]]


def test_an_external_name_shows_what_it_stands_for(status: Status) -> None:
    status["mesh"]["services"][0] |= {"external_name": "example.com", "fake_ip": None, "ports": []}
    assert _section(report(status), "services") == [["default/nginx-svc", "example.com"]]


def test_backends_are_shown_with_what_keeps_them_out(status: Status) -> None:
    assert _section(report(status), "backends") == [
        ["default/nginx-svc", "12345", "nginx-a", "127.0.0.2:8080", "in"],
        ["default/nginx-svc", "12345", "nginx-b", "out", "not_running"],
    ]


def test_requests_are_shown_by_the_endpoint_they_went_to(status: Status) -> None:
    status["mesh"]["proxy"] = {
        "requests": {
            "default/nginx-svc:12345": {"codes": {"200": 5}, "endpoints": {"127.0.0.2:8080": 3, "[::1]:8080": 2}},
            "default/nginx-svc:80": {"codes": {"503": 1}, "endpoints": {}},
        },
        "errors": {},
    }
    assert _section(report(status), "requests") == [
        ["default/nginx-svc", "12345", "127.0.0.2:8080", "3"],
        ["default/nginx-svc", "12345", "[::1]:8080", "2"],
    ]


def test_requests_to_a_service_that_is_gone_are_left_out(status: Status) -> None:
    status["mesh"]["proxy"] = {"requests": {"default/gone:80": {"endpoints": {"127.0.0.2:8080": 3}}}}
    assert "requests" not in report(status)


def test_name_servers_are_shown_with_how_they_do(status: Status) -> None:
    well = {"address": "192.0.2.1:53", "zone": None, "state": "ok", "rtt_ms": 12.5, "queries": 9, "failures": 0}
    away = {
        "address": "192.0.2.2:53",
        "zone": "corp.example",
        "state": "away",
        "queries": 3,
        "failures": 3,
    }
    status["mesh"]["dns"] = {"upstreams": [well, away]}
    assert _section(report(status), "name servers") == [
        ["192.0.2.1:53", "ok", "12.5", "ms", "9", "0"],
        ["192.0.2.2:53", "corp.example", "away", "3", "3"],
    ]


def test_without_requests_there_is_no_table_of_them(status: Status) -> None:
    assert "requests" not in report(status)


def test_ports_that_are_not_bound_are_shown_with_the_reason(status: Status) -> None:
    rows = _section(report(status), "ports not bound")
    assert rows == [["default/nginx-svc", "127.251.0.1:80", "in_use", "address", "already", "in", "use"]]


def test_an_address_of_dns_that_is_not_bound_is_among_them(status: Status) -> None:
    missing = {"address": "[fd00::53]:53", "reason": "no_such_address", "text": "cannot", "since_ms": 1}
    status["mesh"].setdefault("dns", {})["not_listening"] = [missing]
    rows = _section(report(status), "ports not bound")
    assert rows[0] == ["(DNS)", "[fd00::53]:53", "no_such_address", "cannot"]


def test_a_node_without_link_and_mesh_has_only_its_modules(status: Status) -> None:
    text = report({**status, "link": {}, "mesh": {}, "reasons": []})
    assert "link:" not in text
    assert "services" not in text
    assert text.count("\n\n") == 1


def test_a_name_from_the_cloud_cannot_command_the_terminal(status: Status) -> None:
    status["mesh"]["services"][0]["name"] = "evil\x1b[2J"
    status["reasons"] = ["module \x1b[31m"]
    assert "\x1b" not in report(status)
    assert "evil\\x1b[2J" in report(status)


def test_an_empty_status_is_no_error() -> None:
    assert report({}).startswith("node ?: ?")


@pytest.mark.parametrize(("number", "told"), [(0, False), (2, True)])
def test_backends_that_are_gone_are_told_while_they_still_serve(
    status: dict[str, Any], number: int, told: bool
) -> None:
    status["mesh"]["draining_backends"] = number

    assert (f"backends that are gone and still serve somebody: {number}" in report(status)) is told


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            {"state": "active", "tool": "nft", "interface": "docker0", "led": 5, "balanced": 2},
            "interception: active, nft on docker0; 5 ports led to the node, 2 of them balanced by the kernel",
        ),
        ({"state": "removed", "tool": None, "interface": "docker0", "led": 0, "balanced": 0}, "interception: removed"),
    ],
)
def test_of_interception_what_there_is_is_said(status: Status, told: Status, line: str) -> None:
    status["mesh"]["intercept"] = told
    assert line in report(status).splitlines()


def test_calls_are_shown_by_what_became_of_them(status: Status) -> None:
    calls = {"under_way": 0, "waiting": 0, "outcomes": {"answered": 3, "not_reached": 1}, "passed_over": 2}
    status["parts"] = {"servicebus": calls}
    assert "calls: 3 answered, 1 not reached" in report(status).splitlines()
    status["parts"] = {"servicebus": {**calls, "outcomes": {}, "under_way": 2, "waiting": 1}}
    assert "calls: none yet, 2 under way, 1 waiting" in report(status).splitlines()


def test_devices_are_shown_by_state(status: Status) -> None:
    twin = {"devices": 3, "states": {"online": 2, "unknown": 1}, "twins": 7, "twins_differ": 1}
    status["parts"] = {"twin": twin}
    assert "devices: 3 (2 online, 1 unknown), 7 twins, 1 not as the cloud wants" in report(status).splitlines()
    status["parts"] = {"twin": {"devices": 0, "states": {}, "twins": 0, "twins_differ": 0}}
    assert "devices: 0, 0 twins" in report(status).splitlines()


def test_a_recording_that_is_on_is_told_with_its_file_and_its_losses() -> None:
    recording = {"recording": True, "path": "/tmp/s.jsonl", "entries": 7, "lost": 0}
    assert "recording: /tmp/s.jsonl, 7 entries, none lost" in report({"recording": recording})
    assert "7 entries, 2 lost" in report({"recording": {**recording, "lost": 2}})
    assert "recording" not in report({"recording": {**recording, "recording": False}})
