"""The settings of names, in a node as a user starts it."""

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord


@pytest.fixture
def ask(programs: Any, words: Any, backend: Any, tmp_path: Path) -> Any:
    """ask(name, type) of a node with every setting: rcode and data of the answers."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("search corp.example\n")
    cloud = programs.cloud()
    node = programs.node(
        cloud=cloud,
        edgeMesh__dns__domains=["example.net"],
        edgeMesh__dns__ipv6Prefix="fd00:ec::/96",
        edgeMesh__dns__autopath=True,
        edgeMesh__dns__namespace="elsewhere",
        edgeMesh__dns__resolvConf=str(resolv_conf),
    )
    cloud.send(*words.arrival("web", 12345, backend()))
    node.service("web")
    host, _, port = node.status()["mesh"]["dns"]["listening"][0].rpartition(":")

    def ask_for(name: str, qtype: str = "A") -> tuple[int, list[str]]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect((host, int(port)))
            client.send(DNSRecord.question(name, qtype).pack())
            reply = DNSRecord.parse(client.recv(4096))
        return reply.header.rcode, [str(record.rdata) for record in reply.rr]

    return ask_for


def test_every_setting_of_names_is_in_force(ask: Any) -> None:
    _, (fake_ip,) = ask("web.default.svc.cluster.local")
    assert ask("WEB.default.svc.Example.NET") == (0, [fake_ip])
    assert ask("web.default") == (0, [fake_ip])
    assert ask("web.default.elsewhere.svc.cluster.local") == (0, ["web.default.svc.cluster.local.", fake_ip])

    rcode, (address,) = ask("web.default.svc.cluster.local", "AAAA")
    assert rcode == 0
    assert int(ip_address(address)) == int(ip_address("fd00:ec::")) | int(ip_address(fake_ip))

    for name in (ip_address(fake_ip).reverse_pointer, ip_address(address).reverse_pointer):
        assert ask(name, "PTR") == (0, ["web.default.svc.cluster.local."])
    assert ask("_http._tcp.web.default.svc.cluster.local", "SRV") == (0, ["0 100 12345 web.default.svc.cluster.local."])
    assert ask("dns-version.example.net", "TXT") == (0, ['"1.1.0"'])
    assert ask("web") == (2, [])  # of another namespace, so forwarded: nobody answers
    assert ask("no.default.svc.example.net.") == (2, [])  # as the end of a search
    assert ask("x.example.net")[0] == 3
