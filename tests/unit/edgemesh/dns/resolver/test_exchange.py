"""Whom to ask and when, which packet to believe, and what the asker gets of several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsreplies import CNAME, DNAME, RRSIG, SOA, address, cname, name, opt, records, reply
from dnsreplies import A as A_RECORD
from edgecore.modules.edgemesh.dns.packets.messages import Question, query_packet
from edgecore.modules.edgemesh.dns.resolver.exchange import Exchange, Server, Verdict, is_ourselves, judge
from edgecore.modules.edgemesh.dns.resolver.findings import NOTHING_FOUND, Finding

A, B, C, D = [("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53), ("192.0.2.4", 53)]
WWW = Question(name("www.example"), b"\0\1\0\1")
QUERY = query_packet(b"\xab\xcd", WWW, edns=True)
PLAIN = query_packet(b"\xab\xcd", WWW, edns=False)
ANSWER = Finding(0)
SERVFAIL, REFUSED, PART = Finding(2), Finding(5), Finding(0, is_truncated=True)


def silent_run(servers, beside=None) -> list[tuple[float, Server]]:
    """When whom is asked, when no server ever answers."""
    exchange, now, asked = Exchange(servers, 100.0, beside), 100.0, []
    while not exchange.is_over(now):
        asked += [(round(now - 100.0, 3), server) for server in exchange.due(now)]
        now = exchange.next_at()
    return [*asked, (round(now - 100.0, 3), None)]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([], [(0.0, None)]),
        ([A], [(0.0, A), (1.2, A), (2.8, A), (4.5, None)]),
        ([A, B], [(0.0, A), (0.4, B), (1.2, A), (1.6, B), (2.8, A), (3.2, B), (4.5, None)]),
    ],
)
def test_silent_servers_are_asked_in_their_order_and_again_until_the_time_is_over(servers, expected):
    assert silent_run(servers) == expected


def test_of_many_servers_six_are_asked_and_three_of_them_again():
    asked = silent_run([(f"192.0.2.{n}", 53) for n in range(9)])
    assert len({server for _, server in asked if server}) == 6
    assert len(asked) == 6 + 3 + 3 + 1


def test_one_is_asked_at_once_beside_the_first():
    assert silent_run([A, B, C], C)[:3] == [(0.0, A), (0.0, C), (0.4, B)]


def test_next_server_is_asked_at_once_when_one_will_not_answer():
    exchange = Exchange([A, B, C], 0.0)
    assert exchange.due(0.0) == [A]
    exchange.gave_up(A, "unreachable", 0.1)
    assert exchange.next_at() == 0.1
    assert exchange.due(0.1) == [B]
    assert exchange.next_at() == 0.8


def test_server_that_gave_up_is_not_asked_again():
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.0)
    exchange.gave_up(A, "unreachable", 0.0)
    assert [exchange.due(now) for now in (0.0, 1.2, 1.6)] == [[B], [], [B]]


def test_answer_is_the_end_whoever_gave_it():
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.4)
    assert not exchange.is_over(0.4)
    exchange.answered(B, ANSWER, 0.5)
    assert exchange.is_over(0.5)
    assert exchange.outcome() == (ANSWER, B)
    assert exchange.silent() == [A]
    assert exchange.tried == [(B, "answered", 0.5)]


def test_an_exchange_is_over_when_no_server_is_left():
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.4)
    exchange.gave_up(A, "unreachable", 0.4)
    assert not exchange.is_over(0.4)
    exchange.gave_up(B, "unreachable", 0.4)
    assert exchange.is_over(0.4)
    assert exchange.outcome() == (None, None)


def test_after_a_refusal_the_others_have_two_seconds():
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.0)
    exchange.gave_up(A, "refused", 0.3, REFUSED)
    exchange.due(0.3)
    assert not exchange.is_over(2.2)
    assert exchange.is_over(2.3)
    assert exchange.outcome() == (REFUSED, A)


def test_good_answer_is_better_than_a_refusal():
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.4)
    exchange.gave_up(A, "refused", 0.4, REFUSED)
    exchange.answered(B, ANSWER, 0.5)
    assert exchange.outcome() == (ANSWER, B)


@pytest.mark.parametrize(
    ("given_first", "given_then", "best"),
    [
        (REFUSED, SERVFAIL, SERVFAIL),
        (SERVFAIL, REFUSED, SERVFAIL),
        (REFUSED, Finding(4), REFUSED),
        (PART, SERVFAIL, PART),
        (SERVFAIL, PART, PART),
    ],
)
def test_of_several_refusals_the_most_useful_is_passed_on(given_first, given_then, best):
    exchange = Exchange([A, B], 0.0)
    exchange.due(0.4)
    exchange.gave_up(A, "refused", 0.4, given_first)
    exchange.gave_up(B, "refused", 0.5, given_then)
    assert exchange.outcome()[0] is best


def test_server_that_answers_in_another_way_is_waited_for_and_not_sent_to():
    exchange = Exchange([A], 0.0)
    exchange.due(0.0)
    exchange.hold(A)
    assert not exchange.is_over(2.0)
    assert exchange.due(2.0) == []
    assert exchange.next_at() == 4.5


@given(
    st.integers(0, 8),
    st.lists(st.tuples(st.floats(0, 2), st.sampled_from("arul")), max_size=20),
)
def test_an_exchange_ends_in_time_whatever_servers_do(count, events):
    servers = [(f"192.0.2.{n}", 53) for n in range(count)]
    exchange, now, pending = Exchange(servers, 0.0), 0.0, list(events)
    asked: list[Server] = []
    for _ in range(200):
        if exchange.is_over(now):
            break
        asked += exchange.due(now)
        after, what = pending.pop() if pending else (9.0, "")
        if exchange.silent() and now + after < exchange.next_at():
            now += after
            server = exchange.silent()[0]
            if what == "a":
                exchange.answered(server, ANSWER, now)
            else:
                exchange.gave_up(server, "no", now, {"r": SERVFAIL, "l": NOTHING_FOUND}.get(what))
        else:
            now = max(now, exchange.next_at())
    assert exchange.is_over(now)
    assert now <= 4.5
    assert len(asked) <= 12


@pytest.mark.parametrize(
    ("packet", "verdict", "word"),
    [
        pytest.param(reply(QUERY, address(b"\xc0\x0c")), Verdict.ACCEPT, "", id="an answer"),
        pytest.param(reply(QUERY, rcode=3), Verdict.ACCEPT, "", id="NXDOMAIN"),
        pytest.param(reply(QUERY.replace(b"www", b"WwW")), Verdict.ACCEPT, "", id="question in another case"),
        pytest.param(reply(QUERY) + b"rest", Verdict.ACCEPT, "", id="something behind it"),
        pytest.param(reply(QUERY, flags=0x8380), Verdict.TRUNCATED, "truncated", id="truncated"),
        pytest.param(reply(QUERY, rcode=1), Verdict.NO_EDNS, "formerr", id="FORMERR to EDNS"),
        pytest.param(reply(QUERY, rcode=4), Verdict.NO_EDNS, "notimp", id="NOTIMP to EDNS"),
        pytest.param(QUERY[:2] + b"\x81\x81" + bytes(8), Verdict.NO_EDNS, "formerr", id="bare FORMERR to EDNS"),
        pytest.param(reply(QUERY, rcode=2), Verdict.REFUSED, "servfail", id="SERVFAIL"),
        pytest.param(reply(QUERY, rcode=5), Verdict.REFUSED, "refused", id="REFUSED"),
        pytest.param(reply(QUERY, rcode=9), Verdict.REFUSED, "refused", id="NOTAUTH"),
        pytest.param(QUERY[:2] + b"\x81\x82" + bytes(8), Verdict.REFUSED, "servfail", id="bare SERVFAIL"),
        pytest.param(reply(QUERY, address("bank.example")), Verdict.REFUSED, "lame", id="lame"),
        pytest.param(reply(QUERY, address(b"\xc0\xff")), Verdict.REFUSED, "unreadable", id="unreadable"),
        pytest.param(QUERY[:2] + b"\x81\x80" + bytes(8), Verdict.IGNORE, "no_question", id="bare NOERROR"),
        pytest.param(QUERY[:2] + b"\x81\x83" + bytes(8), Verdict.IGNORE, "no_question", id="bare NXDOMAIN"),
        pytest.param(
            QUERY[:2] + b"\x81\x82\0\0\0\1" + bytes(4), Verdict.IGNORE, "another_question", id="records, no question"
        ),
        pytest.param(b"\xab\xce" + reply(QUERY)[2:], Verdict.IGNORE, "not_our_query", id="wrong id"),
        pytest.param(reply(QUERY.replace(b"www", b"ww2")), Verdict.IGNORE, "another_question", id="wrong name"),
        pytest.param(reply(QUERY).replace(b"\0\1\0\1", b"\0\x1c\0\1"), Verdict.IGNORE, "another_question", id="type"),
        pytest.param(reply(QUERY)[:-1], Verdict.IGNORE, "another_question", id="question cut off"),
        pytest.param(QUERY, Verdict.IGNORE, "not_our_query", id="our own query"),
        pytest.param(reply(QUERY, flags=0xA180), Verdict.IGNORE, "not_our_query", id="another opcode"),
        pytest.param(b"\xab\xcd\x81\x82", Verdict.IGNORE, "not_our_query", id="no header"),
        pytest.param(b"", Verdict.IGNORE, "not_our_query", id="nothing"),
    ],
)
def test_packet_is_judged_by_id_question_and_what_it_says(packet, verdict, word):
    assert judge(WWW, QUERY, packet, 3600)[:2] == (verdict, word)


@pytest.mark.parametrize(("rcode", "passed_on"), [(1, 2), (4, 4)])
def test_error_to_a_query_without_edns_is_a_refusal(rcode, passed_on):
    judged = judge(WWW, PLAIN, reply(PLAIN, rcode=rcode), 3600)
    assert (judged.verdict, judged.finding) == (Verdict.REFUSED, Finding(passed_on))


def test_two_questions_are_not_ours():
    packet = reply(QUERY)
    assert judge(WWW, QUERY, packet[:5] + b"\2" + packet[6:], 3600).verdict is Verdict.IGNORE


def test_types_that_differ_as_letters_do_are_different():
    question, other = Question(WWW.name, b"\0\x41\0\1"), Question(WWW.name, b"\0\x61\0\1")
    packet = reply(query_packet(b"\xab\xcd", other, edns=False))
    assert judge(question, query_packet(b"\xab\xcd", question, edns=False), packet, 60).verdict is Verdict.IGNORE


@given(st.binary(max_size=60) | st.binary(max_size=80).map(lambda rest: reply(QUERY)[:12] + WWW.wire + rest))
def test_any_packet_is_judged(packet):
    judged = judge(WWW, QUERY, packet, 3600)
    assert (judged.verdict is Verdict.ACCEPT) <= isinstance(judged.finding, Finding)


@given(st.data())
def test_what_is_believed_and_kept_of_a_changed_reply_answers_the_question(data):
    whole = reply(QUERY, cname(b"\xc0\x0c", b"\3web\xc0\x10", 50), address("web.example"), additional=(opt(),))
    packet = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    judged = judge(WWW, QUERY, bytes(packet), 3600)
    if judged.verdict is not Verdict.ACCEPT or not judged.finding.keep_s:
        return
    assert bytes(packet[:2]) == QUERY[:2]
    given_out = PLAIN[:4] + b"\0\1" + judged.finding.counts + b"\0\0" + PLAIN[12:] + judged.finding.aged(0)
    found = records(given_out)
    names = {"www.example"} | {"web.example" for _, rtype, *_ in found if rtype == CNAME}
    assert all(ttl >= judged.finding.keep_s for _, _, ttl, _ in found)
    assert {rtype for _, rtype, *_ in found} <= {A_RECORD, CNAME, DNAME, RRSIG, SOA}
    if len(packet) == len(whole) and packet[12:] == whole[12:]:
        assert {owner.lower() for owner, *_ in found} == names


@given(st.data())
def test_no_packet_with_another_id_or_question_is_believed(data):
    packet = bytearray(reply(QUERY, address(b"\xc0\x0c"), additional=(opt(),)))
    at = data.draw(st.sampled_from([0, 1, *range(12, 12 + len(WWW.wire))]))
    packet[at] ^= 1 << data.draw(
        st.integers(0, 7).filter(lambda bit: bit != 5 or at < 12 or not chr(packet[at]).isalpha())
    )
    assert judge(WWW, QUERY, bytes(packet), 3600).verdict is Verdict.IGNORE


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
