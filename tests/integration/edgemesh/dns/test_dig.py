"""The dig command as the client."""

import asyncio
from ipaddress import IPv4Network

import pytest

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

pytestmark = pytest.mark.needs_dig

NAME = "web.default.svc.cluster.local"


async def dig(address: tuple[str, int], *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("dig", f"@{address[0]}", "-p", str(address[1]), "+time=5", "+tries=1", "+notcp", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    judged = text.replace("WARNING: .local is reserved for Multicast DNS", "")
    for complaint in ("malformed", "WARNING", "Warning", "mismatch", "bad packet", "FORMERR"):
        assert complaint not in judged
    return text


@pytest.mark.parametrize("edns", ["+edns=0", "+noedns", "+nocookie", "+dnssec", "+nsid"])
@pytest.mark.parametrize("name", [NAME, "WEB.default.svc.Cluster.Local", "web.default", "web"])
async def test_service_is_found_with_and_without_edns(name, edns, running):
    async with running() as server:
        text = await dig(server.addresses[0], edns, name)
    assert "status: NOERROR" in text
    assert "flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0" in text
    assert f"{name}. 64 IN A 127.251.0.1" in " ".join(text.split())
    assert ("OPT PSEUDOSECTION" in text) == (edns != "+noedns")


@pytest.mark.parametrize("edns", ["+edns=0", "+noedns"])
async def test_removed_service_is_nxdomain_with_soa(edns, running, names):
    async with running() as server:
        assert "status: NOERROR" in await dig(server.addresses[0], edns, NAME)
        names.remove(ServiceKey("default", "web"))
        text = await dig(server.addresses[0], edns, NAME)
    assert "status: NXDOMAIN" in text
    assert "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local." in " ".join(text.split())


@pytest.mark.parametrize("qtype", ["AAAA", "SRV", "MX"])
async def test_other_type_of_a_service_is_nodata_with_soa(qtype, running):
    async with running() as server:
        text = await dig(server.addresses[0], qtype, NAME)
    assert "status: NOERROR" in text
    assert "ANSWER: 0, AUTHORITY: 1" in text


async def test_any_of_a_service_is_its_address(running):
    async with running() as server:
        text = await dig(server.addresses[0], "ANY", NAME)
    assert "status: NOERROR" in text
    assert f"{NAME}. 64 IN A 127.251.0.1" in " ".join(text.split())


async def test_dnssec_ok_is_repeated(running):
    async with running() as server:
        text = await dig(server.addresses[0], "+dnssec", NAME)
    assert "flags: do; udp: 1232" in text


async def test_edns_version_1_is_badvers(running):
    async with running() as server:
        text = await dig(server.addresses[0], "+edns=1", "+noednsneg", NAME)
    assert "status: BADVERS" in text


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["CH", "TXT", "version.bind"], "REFUSED"), (["+opcode=STATUS", NAME], "NOTIMP")],
)
async def test_class_and_opcode_that_we_do_not_serve_are_told_so(arguments, status, running):
    async with running() as server:
        assert f"status: {status}" in await dig(server.addresses[0], *arguments)


@pytest.mark.parametrize("edns", ["+edns=0", "+noedns"])
async def test_other_name_is_answered_by_the_upstream(edns, running, upstream):
    other = await upstream()
    async with running(upstreams=[other.address]) as server:
        text = await dig(server.addresses[0], edns, "www.example")
    assert "127.0.9.9" in text


async def test_other_name_without_upstream_is_servfail(running):
    async with running() as server:
        assert "status: SERVFAIL" in await dig(server.addresses[0], "www.example")


# Every kind of question, by every way.

DOMAIN = "default.svc.cluster.local"
MANY = [f"127.251.2.{number}" for number in range(100)]
TABLE = [
    ("A", NAME, "NOERROR", ["127.251.0.1"]),
    ("A", "wEb.DeFaUlT.sVc.ClUsTeR.lOcAl", "NOERROR", ["127.251.0.1"]),
    ("AAAA", NAME, "NOERROR", []),
    ("ANY", NAME, "NOERROR", ["127.251.0.1"]),
    ("TXT", NAME, "NOERROR", []),
    ("HTTPS", NAME, "NOERROR", []),
    ("TYPE65535", NAME, "NOERROR", []),
    ("SRV", f"_http._tcp.{NAME}", "NOERROR", [f"0 100 80 {NAME}."]),
    ("SRV", f"_http._udp.{NAME}", "NXDOMAIN", []),
    ("A", f"web-1.pods.{DOMAIN}", "NOERROR", ["127.251.1.1"]),
    ("A", f"web-9.pods.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"many.{DOMAIN}", "NOERROR", MANY),
    ("ANY", f"many.{DOMAIN}", "NOERROR", ['"RFC8482" ""']),
    ("CNAME", f"site.{DOMAIN}", "NOERROR", ["www.example."]),
    ("A", f"site.{DOMAIN}", "NOERROR", ["www.example.", "127.0.9.9"]),
    ("PTR", "1.0.251.127.in-addr.arpa", "NOERROR", [f"{NAME}."]),
    ("PTR", "9.9.251.127.in-addr.arpa", "NXDOMAIN", []),
    ("SOA", "cluster.local", "NOERROR", ["ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"]),
    ("NS", "cluster.local", "NOERROR", ["ns.dns.cluster.local."]),
    ("A", "ns.dns.cluster.local", "NOERROR", ["127.0.0.1"]),
    ("TXT", "dns-version.cluster.local", "NOERROR", ['"1.1.0"']),
    ("AXFR", "www.example", "REFUSED", []),
    ("A", f"nothing.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"\\000\\255\\046.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"b\u00fccher.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"xn--bcher-kva.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"*.{DOMAIN}", "NXDOMAIN", []),
    ("A", f"{'x' * 63}.{'y' * 63}.{'z' * 63}.{DOMAIN}", "NXDOMAIN", []),
    ("A", "www.example", "NOERROR", ["127.0.9.9"]),
    ("A", "b\u00fccher.example", "NOERROR", ["127.0.9.9"]),
]


@pytest.fixture
def services(names) -> None:
    """Services of every kind beside ``web``."""
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    http = (PublishedPort("http", "TCP", 80),)
    few = tuple(PublishedPod(f"web-{number}", f"127.251.1.{number}") for number in range(2))
    many = tuple(PublishedPod(f"m-{number}", address) for number, address in enumerate(MANY))
    names.set(Published(ServiceKey("default", "web"), "127.251.0.1", http))
    names.set(Published(ServiceKey("default", "pods"), "127.251.0.2", http, few))
    names.set(Published(ServiceKey("default", "many"), None, (), many))
    names.set(Published(ServiceKey("default", "site"), None, external_name="www.example"))


def answers(text: str) -> list[str]:
    """Return the data of the answer section, whose lines end before an empty one."""
    section = text.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
    return [" ".join(line.split()[4:]) for line in section.splitlines()]


@pytest.mark.parametrize(
    "options",
    [
        ["+notcp", "+noedns"],
        ["+notcp", "+bufsize=512"],
        ["+notcp", "+bufsize=4096", "+dnssec", "+nsid", "+subnet=192.0.2.0/24"],
        ["+tcp", "+noedns"],
        ["+tcp", "+edns=0", "+keepalive", "+padding=128"],
    ],
    ids=" ".join,
)
async def test_every_kind_of_question_gets_the_same_answer_by_every_way(options, running, upstream, services):
    other = await upstream()
    async with running(upstreams=[other.address]) as server:
        for qtype, name, status, expected in TABLE:
            # A transfer goes by TCP, and dig prints no status for it.
            text = await dig(server.addresses[0], *options, "-q", name, "-t", qtype)
            if qtype == "AXFR":
                assert "Transfer failed" in text
                continue
            assert f"status: {status}" in text, text
            assert sorted(answers(text)) == sorted(expected), text
