"""A request as it is shown to who looks."""

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.shownrequest import MAX_HEAD_BYTES, shown_request
from edgecore.recording.entries import ProxiedRequest
from tests.support.upstreams import host

HEAD = b"GET /shop?a=1 HTTP/1.1\r\nHost: web\r\n\r\n"


def test_a_request_is_shown_with_who_what_where_and_how_long() -> None:
    served = Served(
        client="10.9.9.9:40112",
        service=ServiceKey("default", "web"),
        port=80,
        handling="http",
        host=host("10.0.0.1", 8000),
        head=HEAD,
        status=200,
        bytes_in=7,
        bytes_out=612,
        duration_s=0.0123456,
        retries=1,
    )

    assert shown_request(served, 5) == ProxiedRequest(
        0,
        5,
        "10.9.9.9:40112",
        "default/web:80",
        "http",
        HEAD.decode(),
        f"{served.host.backend.pod if served.host else ''} 10.0.0.1:8000",
        200,
        "",
        7,
        612,
        12346,
        1,
    )


def test_what_went_nowhere_has_no_backend_and_what_nobody_could_name_no_service() -> None:
    shown = shown_request(Served(client="c:1", service=None, port=53, handling="datagrams", reason="no_pods"), 5)
    assert (shown.service, shown.backend, shown.handling, shown.reason) == ("", "", "udp", "no_pods")


def test_a_head_is_shown_as_text_whatever_its_bytes_and_only_so_far() -> None:
    head = b"GET /\xff HTTP/1.1\r\n" + b"x" * MAX_HEAD_BYTES
    shown = shown_request(Served(client="c:1", service=None, port=80, handling="http", head=head), 5)
    assert shown.head.startswith("GET /\ufffd HTTP/1.1\r\nxxx")
    assert len(shown.head) == MAX_HEAD_BYTES
