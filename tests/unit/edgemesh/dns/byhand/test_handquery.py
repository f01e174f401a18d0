"""A question asked by hand: the same answer as a packet gets, and why."""

from ipaddress import IPv4Network

import pytest
from dnslib import QTYPE, RR, SRV, TXT, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.modules.edgemesh.dns.byhand.presentation import present, rcode_name
from edgecore.modules.edgemesh.dns.resolver.exchange import Tried
from edgecore.modules.edgemesh.dns.resolver.resolved import How, Resolved
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

HOW = How("miss", server=("192.0.2.53", 53), rtt_s=0.02, tried=(Tried(("2001:db8::53", 53), "silent", 0.4),))
NAME = "web.default.svc.cluster.local"


class FakeServers:
    """Name servers that know one address."""

    def __init__(self):
        self.asked = []

    async def resolve(self, packet, query, *, is_tcp):
        assert is_tcp
        return Resolved(self._reply(packet), HOW)

    async def chase(self, chase):
        target = chase.targets[0]
        return Resolved(chase.finished(target, self._reply(chase.asking(target)))[0], HOW)

    def _reply(self, packet):
        record = DNSRecord.parse(packet)
        self.asked.append((str(record.q.qname), QTYPE[record.q.qtype]))
        reply = record.reply(aa=0)
        reply.add_answer(RR(record.q.qname, rdata=A("192.0.2.7"), ttl=300))
        return bytes(reply.pack())


@pytest.fixture
def servers():
    return FakeServers()


@pytest.fixture
def hand_query(servers):
    names = NameTable()
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    names.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
    names.set(Published(ServiceKey("default", "shop"), None, external_name="shop.example.com"))
    return HandQuery(names, servers)


async def test_a_service_is_answered_from_the_ready_answers(hand_query, servers):
    told = await hand_query.ask(NAME)
    assert told == {
        "name": f"{NAME}.",
        "type": "A",
        "status": "NOERROR",
        "flags": ["aa", "rd", "ra"],
        "bytes": told["bytes"],
        "answer": [{"name": f"{NAME}.", "ttl": 64, "type": "A", "data": "127.251.0.1"}],
        "authority": [],
        "additional": [],
        "rule": "service",
        "why": "the name is that of service default/web",
        "service": {"namespace": "default", "name": "web"},
        "ready": True,
        "upstream": None,
        "led": None,
    }
    assert servers.asked == []


async def test_a_type_without_a_ready_answer_is_decided(hand_query):
    told = await hand_query.ask(NAME, "mx")
    assert (told["status"], told["ready"], told["rule"], told["answer"]) == ("NOERROR", False, "no_such_type", [])
    assert [record["type"] for record in told["authority"]] == ["SOA"]


async def test_an_outside_name_says_who_answered(hand_query, servers):
    told = await hand_query.ask("www.example.com", "TXT")
    assert servers.asked == [("www.example.com.", "TXT")]
    assert (told["rule"], told["service"]) == ("outside", None)
    assert told["upstream"] == {
        "outcome": "miss",
        "zone": "",
        "server": "192.0.2.53:53",
        "rtt_s": 0.02,
        "age_s": None,
        "is_prefetched": False,
        "reason": "",
        "tried": [{"server": "[2001:db8::53]:53", "word": "silent", "after_s": 0.4}],
    }
    assert told["answer"][0]["data"] == "192.0.2.7"


async def test_a_service_that_stands_for_a_name_outside_is_followed(hand_query, servers):
    told = await hand_query.ask("shop.default.svc.cluster.local")
    assert servers.asked == [("shop.example.com.", "A")]
    assert (told["rule"], told["service"]) == ("external_name", {"namespace": "default", "name": "shop"})
    assert [(record["type"], record["data"]) for record in told["answer"]] == [
        ("CNAME", "shop.example.com."),
        ("A", "192.0.2.7"),
    ]
    assert told["upstream"]["server"] == "192.0.2.53:53"


async def test_a_fake_ip_is_answered_with_its_service(hand_query):
    told = await hand_query.ask("127.251.0.1")
    assert (told["type"], told["rule"], told["service"]) == ("PTR", "address", {"namespace": "default", "name": "web"})
    assert told["answer"][0]["data"] == f"{NAME}."


async def test_an_address_is_asked_for_by_its_reverse_name(hand_query, servers):
    await hand_query.ask("192.0.2.7")
    await hand_query.ask("192.0.2.7", "A")
    assert servers.asked == [("7.2.0.192.in-addr.arpa.", "PTR"), ("7.2.0.192.in-addr.arpa.", "A")]


@pytest.mark.parametrize(("name", "qtype"), [("a..b", "A"), ("a", "NOSUCH")])
async def test_what_cannot_be_asked_is_an_error(hand_query, name, qtype):
    with pytest.raises(ContentError):
        await hand_query.ask(name, qtype)


def test_records_of_all_sections_are_shown_as_in_zone_files():
    record = DNSRecord.question("_http._tcp.web.default", "SRV").reply()
    record.add_answer(RR("_http._tcp.web.default", QTYPE.SRV, rdata=SRV(0, 100, 80, "web.default"), ttl=64))
    record.add_ar(RR("web.default", rdata=A("127.251.0.1"), ttl=64))
    record.add_ar(RR("web.default", QTYPE.TXT, rdata=TXT(b'a "b" \n'), ttl=64))
    told = present(bytes(record.pack()))
    assert told["answer"][0] | {"name": ""} == {"name": "", "ttl": 64, "type": "SRV", "data": "0 100 80 web.default."}
    assert [one["type"] for one in told["additional"]] == ["A", "TXT"]


@pytest.mark.parametrize(("rcode", "name"), [(0, "NOERROR"), (3, "NXDOMAIN"), (16, "BADVERS"), (9, "RCODE9")])
def test_a_response_code_has_its_name(rcode, name):
    assert rcode_name(rcode) == name


@given(st.binary(min_size=12, max_size=80))
def test_any_reply_can_be_shown(reply):
    assert present(reply)["bytes"] == len(reply)


async def test_the_own_zone_says_of_its_names_what_is_answered(hand_query):
    asked = await hand_query.ask(NAME)
    assert hand_query.own(NAME) == {key: value for key, value in asked.items() if key not in ("upstream", "led")}


def test_the_own_zone_asks_nobody_outside(hand_query, servers):
    told = hand_query.own("www.example.com")
    assert (told["status"], told["rule"], told["answer"], servers.asked) == (None, "outside", [], [])


def test_of_an_alias_the_own_zone_says_where_it_leads(hand_query, servers):
    told = hand_query.own("shop.default")
    assert (told["status"], told["rule"], servers.asked) == (None, "external_name", [])
    assert [(one["type"], one["data"]) for one in told["answer"]] == [("CNAME", "shop.example.com.")]


def test_the_own_zone_refuses_what_cannot_be_asked(hand_query):
    with pytest.raises(ContentError):
        hand_query.own("a..b")
