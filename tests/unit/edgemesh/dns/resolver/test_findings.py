"""What a reply says to a question, what of it is kept and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsreplies import (
    AAAA,
    ANY,
    CNAME,
    DNAME,
    NS,
    RRSIG,
    A,
    address,
    cname,
    name,
    opt,
    query,
    records,
    reply,
    rr,
    soa,
)
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.resolver.findings import Finding, read_finding

MAX = 3600
QUERY = query("www.example")
WWW = b"\xc0\x0c"


def asked(text: str = "www.example", rtype: int = A, **flags: bool) -> Question:
    return Question(name(text), rtype.to_bytes(2, "big") + b"\0\1", **flags)


def found(packet: bytes, question: Question | None = None) -> Finding:
    finding = read_finding(question or asked(), packet, MAX)
    assert isinstance(finding, Finding), finding
    return finding


def shown(finding: Finding, seconds: int = 0) -> list[tuple[str, int, int]]:
    packet = QUERY[:4] + b"\0\1" + finding.counts + b"\0\0" + QUERY[12:] + finding.aged(seconds)
    return [record[:3] for record in records(packet)]


def test_answer_holds_for_its_smallest_ttl():
    finding = found(reply(QUERY, address(WWW, ttl=300), address(WWW, "192.0.2.2", ttl=20)))
    assert (finding.rcode, finding.keep_s, finding.counts) == (0, 20, b"\0\2\0\0")
    assert shown(finding, 5) == [("www.example", A, 295), ("www.example", A, 15)]


def test_ttl_does_not_fall_below_zero():
    assert shown(found(reply(QUERY, address(WWW, ttl=3))), 9) == [("www.example", A, 0)]


@pytest.mark.parametrize("ttl", [3601, 2**31 - 1, 2**31, 2**32 - 1])
def test_enormous_ttl_is_the_largest_that_is_kept(ttl):
    finding = found(reply(QUERY, address(WWW, ttl=ttl)))
    assert finding.keep_s == MAX
    assert shown(finding) == [("www.example", A, MAX)]


def test_ttl_of_zero_is_not_kept():
    assert found(reply(QUERY, address(WWW, ttl=0))).keep_s == 0


def test_answer_by_way_of_aliases_is_kept_whole_in_any_order():
    chain = [cname("a.example", "b.example", 50), address("b.example", ttl=60), cname(WWW, "a.example", 40)]
    finding = found(reply(QUERY, *chain))
    assert finding.keep_s == 40
    assert len(shown(finding)) == 3


def test_alias_of_a_whole_zone_is_part_of_the_answer():
    packet = reply(QUERY, rr("example", DNAME, 70, name("test")), cname(WWW, "www.test", 0), address("www.test"))
    assert found(packet).keep_s == 0
    packet = reply(QUERY, rr("example", DNAME, 70, name("test")), cname(WWW, "www.test", 70), address("www.test"))
    assert found(packet).keep_s == 70


@pytest.mark.parametrize("rcode", [0, 3])
def test_negative_answer_holds_for_the_last_field_of_the_soa(rcode):
    finding = found(reply(QUERY, authority=(soa("example", ttl=900, minimum=60),), rcode=rcode))
    assert (finding.rcode, finding.keep_s, finding.counts) == (rcode, 60, b"\0\0\0\1")
    assert [ttl for _, _, ttl in shown(finding, 10)] == [50]


def test_negative_answer_holds_no_longer_than_the_soa_itself():
    assert found(reply(QUERY, authority=(soa("example", ttl=30, minimum=60),), rcode=3)).keep_s == 30


def test_alias_that_leads_to_nothing_holds_as_long_as_both():
    packet = reply(QUERY, cname(WWW, "web.test", 20), authority=(soa("test"),))
    assert found(packet).keep_s == 20


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(reply(QUERY), id="no data and no SOA"),
        pytest.param(reply(QUERY, rcode=3), id="NXDOMAIN without SOA"),
        pytest.param(reply(QUERY, rcode=3, authority=(soa("elsewhere"),)), id="SOA of another zone"),
        pytest.param(reply(QUERY, rcode=3, authority=(soa("ww.example"),)), id="SOA of a part of a label"),
        pytest.param(reply(QUERY, cname(WWW, "web.example")), id="alias alone"),
        pytest.param(reply(QUERY, cname(WWW, "www.example")), id="alias of itself"),
        pytest.param(reply(QUERY, address(WWW), address("bank.example")), id="record of another name beside"),
        pytest.param(reply(QUERY, address(WWW), address(WWW, "2001:db8::1")), id="record of another type beside"),
        pytest.param(reply(QUERY, address(WWW), flags=0x8380), id="truncated"),
    ],
)
def test_what_may_not_be_kept_is_found_and_not_kept(packet):
    assert found(packet).keep_s == 0


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (reply(QUERY, address("bank.example")), "lame"),
        (reply(QUERY, address(WWW, "2001:db8::1")), "lame"),
        (reply(QUERY, rr(WWW, A, 1, bytes(4), rclass=3)), "lame"),
        (reply(QUERY, authority=(rr("example", NS, 60, name("ns.example")),)), "lame"),
        (reply(QUERY, address(WWW))[:-1], "unreadable"),
        (reply(QUERY, rr(WWW, CNAME, 1, b"\xc0\x80")), "unreadable"),
        (reply(QUERY, authority=(rr("example", 6, 1, b""),)), "unreadable"),
        (reply(QUERY, additional=(opt(extended_rcode=1),)), "extended_rcode"),
    ],
)
def test_reply_that_says_nothing_of_the_question_is_named(packet, why):
    assert read_finding(asked(), packet, MAX) == why


def test_referral_is_what_was_asked_for_without_recursion():
    packet = reply(QUERY, authority=(rr("example", NS, 60, name("ns.example")),))
    assert found(packet, asked(recursion_desired=False)).keep_s == 0


def test_no_data_of_the_server_of_the_zone_is_no_referral():
    packet = reply(QUERY, authority=(rr("example", NS, 60, name("ns.example")),), flags=0x8580)
    assert found(packet).rcode == 0


def test_additional_records_are_left_out_and_what_is_beside_an_answer_too():
    authority, additional = (rr("example", NS, 9, name("ns.example")),), (address("ns.example", ttl=1), opt())
    finding = found(reply(QUERY, address(WWW), authority=authority, additional=additional))
    assert shown(finding) == [("www.example", A, 300)]
    assert finding.keep_s == 300


def test_what_proves_an_answer_is_kept_for_who_wants_dnssec():
    proof = rr("example", 47, 100, name("z.example") + b"\0\1\x40")
    signature = rr(WWW, RRSIG, 300, bytes(18) + name("example") + bytes(8))
    packet = reply(QUERY, address(WWW), signature, authority=(proof,))
    assert found(packet, asked(dnssec_ok=True)).counts == b"\0\2\0\1"
    assert found(packet).counts == b"\0\2\0\0"


def test_everything_of_a_name_is_an_answer_to_any():
    packet = reply(query("www.example", ANY), address(WWW), address(WWW, "2001:db8::1"))
    assert found(packet, asked(rtype=ANY)).keep_s == 300


def test_alias_is_the_answer_to_who_asks_for_aliases():
    assert found(reply(query("www.example", CNAME), cname(WWW, "web.example")), asked(rtype=CNAME)).keep_s == 300


def test_another_type_of_the_same_name_is_asked_for_itself():
    packet = reply(query("www.example", AAAA), address(WWW, "2001:db8::1"))
    assert found(packet, asked(rtype=AAAA)).keep_s == 300


@pytest.mark.parametrize("rcode", [1, 2, 4, 5, 9])
def test_failure_says_nothing_of_the_name(rcode):
    finding = found(reply(QUERY, rcode=rcode, authority=(soa("example"),)))
    assert (finding.rcode, finding.is_failure, finding.keep_s, finding.tail) == (rcode, True, 0, b"")


def test_truncated_reply_keeps_the_whole_records_that_it_has():
    finding = found(reply(QUERY, address(WWW), flags=0x8380))
    assert (finding.is_truncated, finding.counts) == (True, b"\0\1\0\0")
    cut = found(reply(QUERY, address(WWW), flags=0x8380)[:-2])
    assert (cut.is_truncated, cut.counts, cut.tail) == (True, b"\0\0\0\0", b"")


def test_server_that_has_validated_is_believed():
    assert found(reply(QUERY, address(WWW), flags=0x81A0)).is_authentic
    assert not found(reply(QUERY, address(WWW))).is_authentic


def test_thousands_of_aliases_in_a_row_are_read_quickly_and_not_kept():
    aliases = [cname(f"n{n}.example", f"n{n + 1}.example") for n in range(1000)]
    assert found(reply(QUERY, cname(WWW, "n0.example"), *aliases, address("n1000.example"))).keep_s == 0


def test_stale_records_live_for_a_short_time_and_never_longer_than_they_did():
    finding = found(reply(QUERY, address(WWW, ttl=300), address(WWW, "192.0.2.2", ttl=20)))
    packet = QUERY[:4] + b"\0\1" + finding.counts + b"\0\0" + QUERY[12:] + finding.stale(30)
    assert [record[2] for record in records(packet)] == [30, 20]


@given(st.data())
def test_changed_reply_is_read_without_a_fault_and_never_gets_longer_or_older(data):
    whole = reply(
        QUERY, cname(WWW, b"\3web\xc0\x10"), address("web.example"), authority=(soa("example"),), additional=(opt(),)
    )
    packet = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 5))):
        packet[data.draw(st.integers(2, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(packet[: data.draw(st.integers(12 + len(QUERY) - 12, len(packet)))])
    finding = read_finding(asked(), cut, MAX)
    if isinstance(finding, str):
        return
    assert 0 <= finding.keep_s <= MAX
    assert len(finding.tail) <= len(cut)
    assert all(0 <= at <= len(finding.tail) - 4 and ttl <= MAX for at, ttl in finding.ttls)
    age = data.draw(st.integers(0, 2 * MAX))
    body = finding.aged(age)
    assert len(body) == len(finding.tail)
    for at, ttl in finding.ttls:
        assert int.from_bytes(body[at : at + 4], "big") == max(0, ttl - age)
