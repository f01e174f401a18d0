"""The dig command as the client."""

import asyncio

import pytest

from edgecore.modules.edgemesh.names import ServiceKey

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
