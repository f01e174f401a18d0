"""Who listens where, and whether a node can listen there too."""

import socket
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from edgecore.doctor.sockets import (
    TABLES,
    Descriptor,
    Listening,
    Wanted,
    check_pool,
    check_ports,
    check_privilege,
    in_the_way,
    listening_sockets,
    owners_by_inode,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = HEAD + (
    "   0: 0100007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
    "   1: 0100007F:9C42 0200007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n"
    "   2: rubbish\n"
)
UDP6 = HEAD + (
    "  99: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000"
    " 00:00000000 00000000     0        0 815 2 0 0\n"
    "  98: 00000000000000000000000001000000:2745 00000000000000000000000000000000:0000 07 00000000:00000000"
    " 00:00000000 00000000     0        0 816 2 0 0\n"
)
DNS = "modules.edgeMesh.dns.listen"
POOLS = [IPv4Network("127.251.0.0/16"), IPv4Network("127.250.0.0/16")]


@pytest.mark.skipif(sys.byteorder != "little", reason="the texts are those of a machine of little end")
def test_the_tables_of_the_kernel_are_read() -> None:
    assert listening_sockets({"tcp": TCP, "udp6": UDP6, "tcp6": None, "udp": ""}) == [
        Listening("tcp", "127.0.0.1", 40001, "4711"),
        Listening("udp", "::", 53, "815"),
        Listening("udp", "::1", 10053, "816"),
    ]


def test_a_socket_of_this_process_is_found_with_its_owner() -> None:
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system has no /proc/net")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        tables = {name: Path(path).read_text() for name, path in TABLES.items() if Path(path).exists()}
        found = {(one.protocol, one.host, one.port): one.inode for one in listening_sockets(tables)}
        links = [(path, str(path.readlink())) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        owners = owners_by_inode(Descriptor("7", "python", link) for _, link in links)
        for each in (server, other):
            inode = found[("tcp", *each.getsockname()[:2])]
            assert owners[inode] == "python (pid 7)"


@pytest.mark.parametrize(
    ("host", "port", "other", "is_in_the_way"),
    [
        ("127.0.0.1", 53, ("127.0.0.1", 53), True),
        ("127.0.0.1", 53, ("0.0.0.0", 53), True),
        ("0.0.0.0", 53, ("127.0.0.53", 53), True),
        ("127.0.0.1", 53, ("::", 53), True),
        ("::1", 53, ("::", 53), True),
        ("127.0.0.1", 53, ("127.0.0.53", 53), False),
        ("127.0.0.1", 53, ("127.0.0.1", 54), False),
        ("::1", 53, ("127.0.0.1", 53), False),
        ("127.0.0.1", 0, ("127.0.0.1", 0), False),
    ],
)
def test_an_address_is_taken_by_itself_and_by_the_wildcard(
    host: str, port: int, other: tuple[str, int], is_in_the_way: bool
) -> None:
    there = Listening("udp", *other, "1")
    assert (in_the_way(Wanted(DNS, "udp", host, port, False), [there]) is there) == is_in_the_way
    assert in_the_way(Wanted(DNS, "tcp", host, port, False), [there]) is None


def test_a_port_in_use_is_a_problem_with_the_program_s_name() -> None:
    wanted = Wanted(DNS, "udp", "127.0.0.1", 53, next_free=False)
    there = Listening("udp", "0.0.0.0", 53, "4711")
    (finding,) = check_ports([wanted], [there], {"4711": "dnsmasq (pid 12)"})
    assert finding.level == "problem"
    assert finding.text == f"udp 127.0.0.1:53 ({DNS}) is in use by dnsmasq (pid 12) on 0.0.0.0:53"
    assert "sudo ss -lpn sport = :53" in finding.advice
    assert "by a program of another user" in check_ports([wanted], [there], {})[0].text


def test_a_port_in_use_where_the_next_will_do_is_a_note() -> None:
    wanted = Wanted("modules.edgeMesh.listenPort", "tcp", "127.0.0.1", 40001, next_free=True)
    (finding,) = check_ports([wanted], [Listening("tcp", "127.0.0.1", 40001, "1")], {})
    assert finding.level == "note"


def test_free_ports_are_named() -> None:
    wanted = Wanted(DNS, "udp", "::1", 53, next_free=False)
    assert [(one.level, one.text) for one in check_ports([wanted], [], {})] == [("ok", "free: [::1]:53")]
    assert check_ports([], [], {}) == []


@pytest.mark.parametrize(
    ("port", "first", "status", "problems"),
    [
        (53, "1024\n", "CapEff:\t0000000000000000\n", 1),
        (53, "1024\n", "CapEff:\t0000000000000400\n", 0),
        (53, "53\n", "CapEff:\t0000000000000000\n", 0),
        (53, None, None, 1),
        (10053, "1024\n", "CapEff:\t0000000000000000\n", 0),
        (0, "1024\n", None, 0),
    ],
)
def test_a_low_port_needs_a_privilege(port: int, first: str | None, status: str | None, problems: int) -> None:
    found = check_privilege([Wanted(DNS, "udp", "127.0.0.1", port, False)], first, status)
    assert [finding.level for finding in found] == ["problem"] * problems


@pytest.mark.parametrize(
    ("table", "level", "words"),
    [
        ("", "ok", "127.251.0.0/16"),
        ("0: 00000002 0 0001 01 4711 @edgecore/fake-ip-pool/127.251.0.0/16\n", "ok", "127.250.0.0/16; other nodes"),
        ("@edgecore/fake-ip-pool/127.251.0.0/16\n@edgecore/fake-ip-pool/127.250.0.0/16\n", "problem", "hold all pools"),
        (None, "note", "cannot see"),
    ],
)
def test_a_pool_is_free_if_no_node_holds_it(table: str | None, level: str, words: str) -> None:
    (finding,) = check_pool(POOLS, table)
    assert (finding.level, words in finding.text) == (level, True)
