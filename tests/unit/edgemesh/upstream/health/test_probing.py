import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.health.probing import Check, check_of, is_well, request_of, status_of
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Probe, Transport

AT = Endpoint("10.0.0.1", 8080)
HTTP = Probe("http", port=9000, path="/ready")


def backend(probe: Probe | None = None) -> Backend:
    return Backend("web-1", AT, version="7", probe=probe)


@pytest.mark.parametrize(
    ("checks", "probe", "transport", "expected"),
    [
        ("off", HTTP, "tcp", None),
        ("probe", HTTP, "tcp", Check(Endpoint("10.0.0.1", 9000), HTTP, "7")),
        ("probe", HTTP, "udp", Check(Endpoint("10.0.0.1", 9000), HTTP, "7")),
        ("probe", Probe("http"), "tcp", Check(AT, Probe("http"), "7")),
        ("probe", None, "tcp", Check(AT, Probe(), "7")),
        ("probe", None, "udp", None),
        ("tcp", HTTP, "tcp", Check(AT, Probe(), "7")),
        ("tcp", HTTP, "udp", None),
    ],
)
def test_what_is_checked_follows_the_policy_and_the_pod(
    checks: str, probe: Probe | None, transport: Transport, expected: Check | None
) -> None:
    policy = Policy(checks=checks)  # type: ignore[arg-type]

    assert check_of(backend(probe), AT, transport, policy) == expected


def test_a_name_is_not_checked() -> None:
    assert check_of(backend(), Endpoint("db.example.org", 5432), "tcp", Policy(checks="tcp")) is None


def test_the_request_is_that_of_a_kubelet() -> None:
    assert request_of(Check(Endpoint("10.0.0.1", 9000), HTTP, "")) == (
        b"GET /ready HTTP/1.1\r\nHost: 10.0.0.1:9000\r\nUser-Agent: kube-probe/1.17\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_headers_of_the_probe_take_the_place_of_ours() -> None:
    probe = Probe("http", headers=(("user-agent", "me"), ("X-A", "1"), ("X-A", "2"), ("HOST", "web.example")))

    assert request_of(Check(AT, probe, "")) == (
        b"GET / HTTP/1.1\r\nHost: web.example\r\nAccept: */*\r\nuser-agent: me\r\nX-A: 1\r\nX-A: 2\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert b"\r\nHost: [fd00::1]:80\r\n" in request_of(Check(Endpoint("fd00::1", 80), Probe("http"), ""))


@pytest.mark.parametrize(
    ("path", "target"), [("", b"/"), ("ready", b"/ready"), ("/a b?c=d#e", b"/a%20b?c=d"), ("/%2F\r\n", b"/%2F%0D%0A")]
)
def test_a_path_is_made_one_that_can_be_sent(path: str, target: bytes) -> None:
    assert request_of(Check(AT, Probe("http", path=path), "")).startswith(b"GET " + target + b" HTTP/1.1\r\n")


TEXT = st.text(max_size=20)


@given(TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_whatever_a_pod_has_as_its_probe_becomes_one_request(
    path: str, host: str, headers: list[tuple[str, str]]
) -> None:
    judge = h11.Connection(h11.SERVER)
    judge.receive_data(request_of(Check(AT, Probe("http", path=path, host=host, headers=tuple(headers)), "")))

    assert isinstance(judge.next_event(), h11.Request)
    assert isinstance(judge.next_event(), h11.EndOfMessage)
    assert judge.trailing_data == (b"", False)


def test_headers_that_would_announce_a_body_or_end_a_line_are_left_out() -> None:
    wrong = (
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("X\n", "1"),
        ("X-B", "1\r\nX: 2"),
        ("X", "\u20ac"),
    )

    sent = request_of(Check(AT, Probe("http", headers=wrong), ""))

    assert sent == request_of(Check(AT, Probe("http"), ""))


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 404\n", 404),
        (b"HTTP/1.1 503 \r\n", 503),
        (b"HTTP/2 200\r\n", None),
        (b"HTTP/1.1 20\r\n", None),
        (b"HTTP/1.1 200 OK", None),
        (b"SSH-2.0-x\r\n", None),
    ],
)
def test_the_status_is_read_from_the_first_line(line: bytes, status: int | None) -> None:
    assert status_of(line) == status


def test_from_200_to_399_is_well() -> None:
    assert [status for status in range(100, 600) if is_well(status)] == list(range(200, 400))
