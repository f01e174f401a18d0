import json
from typing import Any
from urllib.parse import quote

import pytest

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import MAX_PATH, LineMaker
from edgecore.modules.edgemesh.upstream.spec import Backend
from tests.support.upstreams import host

WEB = ServiceKey("default", "web")
AT_MS = 1_588_586_400_123  # 2020-05-04 10:00:00.123 UTC


def served(**values: Any) -> Served:
    return Served(
        **{"client": "10.9.9.9:40112", "service": WEB, "port": 80, "handling": "http", "ended_ms": AT_MS} | values
    )


def document(one: Served) -> dict[str, Any]:
    (line,) = LineMaker().lines([one]).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_request_is_one_line_with_who_what_where_and_how_long() -> None:
    one = served(
        host=host("10.0.0.1", 8000),
        method="GET",
        target="/shop",
        status=200,
        bytes_in=7,
        bytes_out=612,
        duration_s=0.0123456,
        first_byte_s=0.002,
        connect_s=0.0005,
        retries=1,
    )

    assert document(one) == {
        "time": "2020-05-04T10:00:00.123Z",
        "client": "10.9.9.9:40112",
        "service": "default/web",
        "port": 80,
        "protocol": "http",
        "pod": "10.0.0.1",
        "backend": "10.0.0.1:8000",
        "method": "GET",
        "path": "/shop",
        "status": 200,
        "reason": "",
        "bytes_in": 7,
        "bytes_out": 612,
        "duration_ms": 12.345,
        "first_byte_ms": 2.0,
        "connect_ms": 0.5,
        "retries": 1,
    }


def test_what_went_nowhere_has_a_reason_and_no_backend() -> None:
    line = document(served(service=None, reason="unknown_service", status=503))

    assert [line[key] for key in ("service", "pod", "backend", "reason", "status")] == [
        "",
        "",
        "",
        "unknown_service",
        503,
    ]


@pytest.mark.parametrize(
    ("handling", "protocol"), [("http", "http"), ("bytes", "tcp"), ("sniff", "tcp"), ("datagrams", "udp")]
)
def test_the_protocol_is_what_was_spoken(handling: str, protocol: str) -> None:
    assert document(served(handling=handling))["protocol"] == protocol


def test_nothing_behind_a_question_mark_is_told() -> None:
    assert document(served(target="/login?password=secret?x"))["path"] == "/login"


def test_a_long_path_is_cut() -> None:
    assert document(served(target="/" + "a" * 100_000))["path"] == "/" + "a" * (MAX_PATH - 1)


@pytest.mark.parametrize("path", ['/"},{"', "/\n\r\x00", "/é€😀", "/\udc80x"])
def test_whatever_a_client_asks_for_stays_one_readable_line(path: str) -> None:
    assert document(served(method=path))["method"] == path.replace("\udc80", "\ufffd")
    assert document(served(target=path))["path"] == quote(
        path.encode("utf-8", "surrogateescape"), safe="".join(map(chr, range(128)))
    )


def test_bytes_that_a_terminal_would_obey_are_told_as_a_uri_writes_them() -> None:
    (line,) = LineMaker().lines([served(target="/\x9b2J\xc3\xa9%20")]).splitlines()

    assert b'"path":"/%9B2J%C3%A9%20"' in line
    assert line.isascii()


def test_each_line_has_the_time_of_its_end() -> None:
    maker = LineMaker()

    times = [maker.line(served(ended_ms=at_ms)).time for at_ms in (AT_MS, AT_MS + 1, AT_MS + 900)]

    assert [time[17:] for time in times] == ["00.123Z", "00.124Z", "01.023Z"]


def test_another_pod_at_the_same_place_is_told_after_a_second_at_most() -> None:
    maker, place = LineMaker(), host("10.0.0.1", 8000)
    maker.line(served(host=place))

    place.backend = Backend("web-2", place.endpoint)

    assert maker.line(served(host=place, ended_ms=AT_MS + 1000)).pod == "web-2"
