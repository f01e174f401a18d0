"""Whom to ask, until when, and which datagram to believe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.exchange import Attempt, Exchange, Verdict, is_ourselves, judge

A, B, C, D = [("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53), ("192.0.2.4", 53)]
QUESTION = b"\x03www\x07example\0\0\1\0\1"
QUERY = b"\xab\xcd\1\0\0\1\0\0\0\0\0\0" + QUESTION


def reply(id_=b"\xab\xcd", flags=0x8180, questions=1, question=QUESTION, answers=0) -> bytes:
    counts = b"".join(count.to_bytes(2, "big") for count in (questions, answers, 0, 0))
    return id_ + flags.to_bytes(2, "big") + counts + question


def silent_run(servers) -> list[Attempt]:
    """The attempts, when no server ever answers."""
    exchange, now, attempts = Exchange(QUESTION, servers, 100.0), 100.0, []
    while attempt := exchange.next(now):
        attempts.append(attempt)
        now = attempt.deadline
    return attempts


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([], []),
        ([A], [(A, 101.5), (A, 103.0)]),
        ([A, B], [(A, 101.5), (B, 103.0), (A, 104.5)]),
        ([A, B, C, D], [(A, 101.5), (B, 103.0), (C, 104.5)]),
    ],
)
def test_silent_servers_are_asked_in_their_order_until_the_time_is_over(servers, expected):
    assert silent_run(servers) == expected


def test_last_attempt_ends_with_the_exchange():
    exchange = Exchange(QUESTION, [A, B], 100.0)
    assert exchange.next(104.0) == Attempt(A, 104.5)
    assert exchange.next(104.5) is None


def test_server_given_up_is_not_asked_in_the_second_round():
    exchange = Exchange(QUESTION, [A, B], 0.0)
    exchange.give_up(A)
    assert [exchange.next(0.0), exchange.next(0.0), exchange.next(0.0)] == [Attempt(B, 1.5), Attempt(B, 1.5), None]


def test_refusal_is_kept_and_its_server_not_asked_again():
    exchange = Exchange(QUESTION, [A], 0.0)
    exchange.next(0.0)
    assert exchange.judge(A, QUERY, reply(flags=0x8182)) is Verdict.REFUSED
    assert exchange.refusal == reply(flags=0x8182)
    assert exchange.next(0.0) is None


@pytest.mark.parametrize(
    ("datagram", "verdict"),
    [
        pytest.param(reply(answers=1), Verdict.ACCEPT, id="an answer"),
        pytest.param(reply(flags=0x8183), Verdict.ACCEPT, id="NXDOMAIN"),
        pytest.param(reply(flags=0x8380), Verdict.ACCEPT, id="truncated: TC is passed on"),
        pytest.param(reply(flags=0x8181), Verdict.ACCEPT, id="FORMERR: the asker may try without EDNS"),
        pytest.param(reply(question=QUESTION.replace(b"www", b"WwW")), Verdict.ACCEPT, id="question in another case"),
        pytest.param(reply() + b"rest", Verdict.ACCEPT, id="records behind the question"),
        pytest.param(reply(flags=0x8182), Verdict.REFUSED, id="SERVFAIL"),
        pytest.param(reply(flags=0x8184), Verdict.REFUSED, id="NOTIMP"),
        pytest.param(reply(flags=0x8185), Verdict.REFUSED, id="REFUSED"),
        pytest.param(reply(flags=0x8181, questions=0, question=b""), Verdict.REFUSED, id="bare FORMERR"),
        pytest.param(reply(flags=0x8182, questions=0, question=b""), Verdict.REFUSED, id="bare SERVFAIL"),
        pytest.param(reply(flags=0x8180, questions=0, question=b""), Verdict.IGNORE, id="bare NOERROR"),
        pytest.param(reply(flags=0x8183, questions=0, question=b""), Verdict.IGNORE, id="bare NXDOMAIN"),
        pytest.param(
            reply(flags=0x8182, questions=0, question=b"", answers=1), Verdict.IGNORE, id="records, no question"
        ),
        pytest.param(reply(id_=b"\xab\xce"), Verdict.IGNORE, id="wrong id"),
        pytest.param(reply(question=QUESTION.replace(b"www", b"ww2")), Verdict.IGNORE, id="wrong name"),
        pytest.param(reply(question=QUESTION[:-3] + b"\x1c\0\1"), Verdict.IGNORE, id="wrong type"),
        pytest.param(reply(question=QUESTION[:-1]), Verdict.IGNORE, id="question cut off"),
        pytest.param(reply(questions=2), Verdict.IGNORE, id="two questions"),
        pytest.param(reply(flags=0x0100), Verdict.IGNORE, id="a query"),
        pytest.param(reply(flags=0xA180), Verdict.IGNORE, id="another opcode"),
        pytest.param(b"\xab\xcd\x81\x82", Verdict.IGNORE, id="no header"),
    ],
)
def test_datagram_is_judged_by_id_question_and_code(datagram, verdict):
    assert judge(QUESTION, QUERY, datagram) is verdict


def test_types_that_differ_as_letters_do_are_different():
    question, other = QUESTION[:-3] + b"\x41\0\1", QUESTION[:-3] + b"\x61\0\1"
    assert judge(question, QUERY, reply(question=other)) is Verdict.IGNORE


@given(st.binary(max_size=60) | st.binary(max_size=40).map(QUERY[:2].__add__))
def test_any_datagram_is_judged(datagram):
    assert judge(QUESTION, QUERY, datagram) in Verdict


@pytest.mark.parametrize(
    ("server", "listening", "source", "expected"),
    [
        (("127.0.0.1", 53), [("127.0.0.1", 53)], None, True),
        (("127.0.0.1", 53), [("127.0.0.1", 10053)], None, False),
        (("127.0.0.2", 53), [("127.0.0.1", 53)], None, False),
        (("192.0.2.1", 53), [("127.0.0.1", 53), ("192.0.2.1", 53)], None, True),
        (("::ffff:127.0.0.1", 53), [("127.0.0.1", 53)], None, True),
        (("0.0.0.0", 53), [("127.0.0.1", 53)], None, True),
        (("::", 53), [("::1", 53)], None, True),
        (("0:0::1", 53), [("::1", 53)], None, True),
        (("127.0.0.53", 53), [("0.0.0.0", 53)], None, True),
        (("127.0.0.53", 53), [("::", 53)], None, False),
        (("192.0.2.1", 53), [("0.0.0.0", 53)], "192.0.2.1", True),
        (("192.0.2.1", 53), [("0.0.0.0", 53)], "192.0.2.77", False),
        (("192.0.2.1", 53), [("0.0.0.0", 10053)], "192.0.2.1", False),
        (("192.0.2.1", 53), [], None, False),
    ],
)
def test_own_address_is_known_however_it_is_written(server, listening, source, expected):
    assert is_ourselves(server, listening, source) is expected
