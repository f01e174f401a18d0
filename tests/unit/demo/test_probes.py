import pytest
from dnslib import QTYPE, RR, A, DNSRecord

from edgecore.demo.probes import DnsExchange

NAME = "web.default.svc.cluster.local"


def exchange(*addresses: str, rcode: int = 0) -> DnsExchange:
    """Return an exchange as another DNS library makes it."""
    question = DNSRecord.question(NAME)
    answer = question.reply()
    for address in addresses:
        answer.add_answer(RR(NAME, QTYPE.A, rdata=A(address), ttl=64))
    answer.header.rcode = rcode
    return DnsExchange(question.pack(), answer.pack())


def test_the_address_is_that_of_the_only_record() -> None:
    assert exchange("127.251.0.1").address == "127.251.0.1"


@pytest.mark.parametrize("addresses", [(), ("127.251.0.1", "127.251.0.2")])
def test_no_record_or_several_are_no_address(addresses: tuple[str, ...]) -> None:
    assert exchange(*addresses).address == ""


@pytest.mark.parametrize(
    ("rcode", "name"), [(0, "NOERROR"), (1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (9, "9")]
)
def test_the_response_code_has_the_name_that_dig_prints(rcode: int, name: str) -> None:
    assert exchange(rcode=rcode).rcode == name
