"""One finding, and what each asker gets of it."""

import pytest

from dnsreplies import A, address, name, opt, query, records, reply
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.packets.packet import Query, read_query
from edgecore.modules.edgemesh.dns.resolver.askers import STALE_ANSWER, Asker, read_asker
from edgecore.modules.edgemesh.dns.resolver.findings import NOTHING_FOUND, Finding, read_finding

WWW = b"\xc0\x0c"


def asker(packet: bytes, *, is_tcp: bool = False) -> Asker:
    read = read_query(packet)
    assert isinstance(read, Query)
    return read_asker(packet, read, is_tcp=is_tcp)


def finding(count: int = 1, flags: int = 0x8180) -> Finding:
    question = Question(name("www.example"), b"\0\1\0\1")
    answers = [address(WWW, f"192.0.{2 + (n + 1 >> 8)}.{n + 1 & 255}") for n in range(count)]
    found = read_finding(question, reply(query("www.example"), *answers, flags=flags), 3600)
    assert isinstance(found, Finding)
    return found


def test_id_and_spelling_are_the_asker_s():
    packet = query("WwW.eXample")
    got = asker(packet).reply(finding())
    assert got[:12] == b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
    assert got[12 : len(packet)] == packet[12:]
    assert records(got) == [("WwW.eXample", A, 300, bytes((192, 0, 2, 1)))]


def test_question_is_the_same_however_it_is_spelled():
    assert asker(query("WwW.eXample")).question == asker(query("www.example", query_id=b"ab")).question


def test_types_that_differ_as_letters_do_are_different_questions():
    assert asker(query("www.example", 0x41)).question.key != asker(query("www.example", 0x61)).question.key


@pytest.mark.parametrize("one", [query("www.example", opt=opt(dnssec_ok=True)), query("www.example", flags=0x0110)])
def test_questions_of_different_flags_are_different(one):
    assert asker(one).question.key != asker(query("www.example")).question.key


def test_edns_is_answered_with_edns_and_without_it_there_is_none():
    assert asker(query("www.example", opt=opt(4096))).reply(finding()).endswith(opt())
    assert asker(query("www.example", opt=opt(dnssec_ok=True))).reply(finding()).endswith(opt(dnssec_ok=True))
    assert asker(query("www.example")).reply(finding())[10:12] == b"\0\0"


@pytest.mark.parametrize(
    ("packet", "ad"),
    [
        (query("www.example"), 0),
        (query("www.example", opt=opt()), 0),
        (query("www.example", flags=0x0120), 0x20),
        (query("www.example", opt=opt(dnssec_ok=True)), 0x20),
    ],
)
def test_authentic_is_told_to_whom_it_means_something(packet, ad):
    assert asker(packet).reply(finding(flags=0x81A0))[3] & 0x20 == ad
    assert asker(packet).reply(finding())[3] & 0x20 == 0


@pytest.mark.parametrize(("flags", "expected"), [(0x0100, b"\x81\x80"), (0x0000, b"\x80\x80"), (0x0110, b"\x81\x90")])
def test_recursion_and_checking_are_repeated_and_recursion_is_available(flags, expected):
    assert asker(query("www.example", flags=flags)).reply(finding())[2:4] == expected


@pytest.mark.parametrize(
    ("count", "packet", "is_tcp", "fits"),
    [
        (30, query("www.example"), False, True),
        (31, query("www.example"), False, False),
        (31, query("www.example", opt=opt(100)), False, False),
        (31, query("www.example", opt=opt(1232)), False, True),
        (75, query("www.example", opt=opt(4096)), False, False),
        (75, query("www.example"), True, True),
        (4000, query("www.example"), True, True),
        (4100, query("www.example"), True, False),
    ],
)
def test_reply_that_is_too_long_for_the_asker_is_truncated(count, packet, is_tcp, fits):
    one = asker(packet, is_tcp=is_tcp)
    got = one.reply(finding(count))
    assert len(got) <= one.limit_bytes
    assert bool(got[2] & 2) is not fits
    assert len(records(got)) == min(count, (one.limit_bytes - 12 - 17 - 11 * (got[11])) // 16)


def test_part_of_an_answer_is_passed_on_as_such():
    got = asker(query("www.example")).reply(finding(flags=0x8380))
    assert got[2] & 2
    assert len(records(got)) == 1


def test_extended_error_goes_to_who_sent_edns():
    got = asker(query("www.example", opt=opt())).reply(finding(), extended_error=STALE_ANSWER)
    assert got.endswith(opt()[:-2] + bytes.fromhex("0006 000f 0002 0003"))
    plain = asker(query("www.example"))
    assert plain.reply(finding(), extended_error=STALE_ANSWER) == plain.reply(finding())


def test_nothing_found_is_servfail_with_the_question():
    packet = query("www.example")
    assert asker(packet).reply(NOTHING_FOUND) == packet[:2] + b"\x81\x82" + packet[4:]
