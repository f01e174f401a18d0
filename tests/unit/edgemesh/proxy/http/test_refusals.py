"""Answers that the proxy gives itself, judged by h11."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.http.refusals import answer, bad_request, unreachable


def test_a_refusal_is_answered_byte_for_byte_so() -> None:
    refusal = Refusal(503, "no_pods", "cannot reach service default/a port 80: none")
    assert answer(refusal, connection=b"close") == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 45\r\n"
        b"X-Edgecore-Reason: no_pods\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"cannot reach service default/a port 80: none\n"
    )


def test_head_gets_the_length_and_no_body() -> None:
    assert answer(Refusal(503, "a", "b"), body=False).endswith(b"Content-Length: 2\r\nX-Edgecore-Reason: a\r\n\r\n")


def test_text_names_the_service() -> None:
    refusal = unreachable(502, "connect_failed", ServiceKey("ns", "svc"), 80, "refused")
    assert refusal == Refusal(502, "connect_failed", "cannot reach service ns/svc port 80: refused")


@pytest.mark.parametrize("status", [400, 408, 431])
def test_text_of_a_bad_request_says_why(status: int) -> None:
    assert bad_request("word", "why", status) == Refusal(status, "word", "cannot forward the request: why")


@given(status=st.integers(400, 599), reason=st.text(max_size=20), text=st.text(max_size=100))
def test_whatever_the_words_are_the_answer_is_well_formed(status: int, reason: str, text: str) -> None:
    judge = h11.Connection(h11.CLIENT)
    judge.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    judge.receive_data(answer(Refusal(status, reason, text)))
    head, body, end = judge.next_event(), judge.next_event(), judge.next_event()
    assert head.status_code == status
    assert body.data.count(b"\n") == 1
    assert isinstance(end, h11.EndOfMessage)
    assert judge.trailing_data == (b"", False)
