"""The stub resolvers of glibc and musl, and ``host``, on a machine whose only name server is ours.

The machine is a network namespace with an /etc/resolv.conf of its own; nothing of the host is touched.
"""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shells import ROOT, environment

pytestmark = pytest.mark.needs_root

STUBS = ROOT / "tests/support/stubs"
TIMER_S = 5
"""What a stub waits before it asks again, unless it is told otherwise."""
HOST = "nameserver 127.0.0.1\n"
POD = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n"
DOMAIN = "default.svc.cluster.local"
WEB, SITE = "127.251.0.1", "192.0.2.7"
PODS = [f"127.251.2.{number}" for number in range(120)]


class Found(NamedTuple):
    """What a stub says."""

    error: str = ""
    """``noname``, ``nodata``, another text, or nothing."""
    addresses: tuple[str, ...] = ()
    name: str = ""
    """The canonical name, or that of an address."""


class Machine:
    """The namespace, entered by the process that serves names in it."""

    def __init__(self, server: "subprocess.Popen[str]", resolv_conf: Path) -> None:
        self._server = server
        self._resolv_conf = resolv_conf

    def resolve_by(self, text: str) -> None:
        """Let this be in /etc/resolv.conf. The file stays the same one: it is mounted."""
        self._resolv_conf.write_text(text)

    def run(self, *command: object) -> str:
        """Run a command on it; fail if it fails, or waited for a timer of the stub."""
        enter = ["nsenter", "--target", str(self._server.pid), "--mount", "--net"]
        started = time.monotonic()
        done = subprocess.run(
            [*enter, *map(str, command)], capture_output=True, text=True, check=False, timeout=60, env=environment()
        )
        assert time.monotonic() - started < TIMER_S, "the stub has asked more than once"
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def running_machine(place: Path) -> Iterator[Machine]:
    for name, text in {
        "resolv.conf": HOST,
        "nsswitch.conf": "hosts: files dns\n",
        "hosts": "127.0.0.1 localhost\n",
    }.items():
        (place / name).write_text(text)
    mounts = " && ".join(
        f"mount --bind {place / name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf", "hosts")
    )
    script = f'ip link set lo up && {mounts} && exec "$@"'
    server = subprocess.Popen(
        ["unshare", "--mount", "--net", "sh", "-ec", script, "sh", sys.executable, STUBS / "lone_server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if line == "ready\n":
            break
    if said[-1:] != ["ready\n"]:
        server.wait()
        server.stdout.close()
        server.stdin.close()
        pytest.skip(f"no namespace can be made here: {' '.join(said).strip()}")
    yield Machine(server, place / "resolv.conf")
    server.communicate(timeout=20)


@pytest.fixture
def machine(running_machine: Machine) -> Machine:
    running_machine.resolve_by(HOST)
    return running_machine


# The stubs.

GLIBC = """
import json, socket, sys
name, family = sys.argv[1:]
try:
    if name == "-x":
        print(json.dumps(["", [], socket.getnameinfo((family, 0), socket.NI_NAMEREQD)[0]]))
    else:
        families = {"0": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
        found = socket.getaddrinfo(name, None, families[family], socket.SOCK_STREAM, 0, socket.AI_CANONNAME)
        print(json.dumps(["", [one[4][0] for one in found], found[0][3]]))
except socket.gaierror as error:
    texts = {socket.EAI_NONAME: "noname", socket.EAI_NODATA: "nodata"}
    print(json.dumps([texts.get(error.args[0], str(error)), [], ""]))
"""
Lookup = Callable[..., Found]


def _by_python(machine: Machine) -> Lookup:
    def look(name: str, family: str = "0") -> Found:
        error, addresses, canonical = json.loads(machine.run(sys.executable, "-I", "-c", GLIBC, name, family))
        return Found(error, tuple(addresses), canonical)

    return look


def _by_program(machine: Machine, program: Path) -> Lookup:
    def look(name: str, family: str = "0") -> Found:
        *lines, last = machine.run(program, name, family).splitlines()
        told = [line.split(" ", 1) for line in lines]
        error = {"ok": "", "-2": "noname", "-5": "nodata"}.get(last if last == "ok" else last.split()[1], last)
        addresses = tuple(text for kind, text in told if kind == "address")
        return Found(error, addresses, next((text for kind, text in told if kind in ("canon", "name")), ""))

    return look


@pytest.fixture(scope="module")
def musl_program(place: Path) -> Path:
    program = place / "lookup"
    subprocess.run(["musl-gcc", "-O1", "-o", program, STUBS / "lookup.c"], check=True)
    return program


@pytest.fixture(params=["glibc", pytest.param("musl", marks=pytest.mark.needs_musl)])
def look(request: pytest.FixtureRequest, machine: Machine) -> Lookup:
    """look(name, family): what the stub of this library says. musl has a /etc/hosts and no nsswitch.conf."""
    if request.param == "musl":
        return _by_program(machine, request.getfixturevalue("musl_program"))
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("this Python does not use glibc")
    return _by_python(machine)


def is_musl(request: pytest.FixtureRequest) -> bool:
    return "musl" in request.node.name


@pytest.mark.parametrize("name", [f"web.{DOMAIN}", f"web.{DOMAIN}.", "web.default.svc", "web.default", "WEB.Default"])
def test_service_has_its_address_at_once_though_it_has_no_ipv6_address(look: Lookup, name: str) -> None:
    assert look(name).addresses == (WEB,)
    assert look(name, "4").addresses == (WEB,)
    assert look(name, "6").error in ("nodata", "noname")


@pytest.mark.parametrize(
    "options", ["", "options edns0\n", "options use-vc\n", "options edns0 trust-ad single-request\n"]
)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", WEB),
        ("web.default", WEB),
        ("db.prod", "127.251.0.3"),
        ("db.prod.svc", "127.251.0.3"),
        (f"web.{DOMAIN}", WEB),
        ("web-1.pods", "127.251.1.1"),
        (f"web-0.pods.{DOMAIN}", "127.251.1.0"),
        ("www.example", SITE),
        ("www.example.", SITE),
    ],
)
def test_name_is_found_by_the_search_list_of_a_pod(
    machine: Machine, look: Lookup, name: str, expected: str, options: str
) -> None:
    machine.resolve_by(POD + options)
    assert look(name).addresses == (expected,)


@pytest.mark.parametrize("resolv_conf", [HOST, POD])
@pytest.mark.parametrize("name", [f"nothing.{DOMAIN}", "nothing", "nothing.example", "web.default.svc.cluster.example"])
def test_name_that_is_not_there_is_told_at_once(machine: Machine, look: Lookup, name: str, resolv_conf: str) -> None:
    machine.resolve_by(resolv_conf)
    assert look(name).error == "noname"


def test_service_of_a_name_outside_leads_there(look: Lookup) -> None:
    assert look(f"site.{DOMAIN}") == Found("", (SITE,), "www.example")


@pytest.mark.parametrize(
    ("address", "name"), [(WEB, f"web.{DOMAIN}"), ("127.251.1.1", f"web-1.pods.{DOMAIN}"), ("127.251.9.9", "")]
)
def test_address_has_the_name_of_its_service_or_pod(look: Lookup, address: str, name: str) -> None:
    found = look("-x", address)
    assert found.name == name
    assert bool(found.error) is not bool(name)


@pytest.mark.parametrize("name", [f"many.{DOMAIN}", "big.example"])
def test_answer_that_has_no_room_in_a_packet_is_had_by_tcp_or_in_part(
    look: Lookup, name: str, request: pytest.FixtureRequest
) -> None:
    found = look(name, "4")
    if is_musl(request) and len(found.addresses) < 120:  # before 1.2.4 it has no TCP, and takes what there is
        assert len(found.addresses) > 20
    else:
        assert len(set(found.addresses)) == 120


# host.


@pytest.mark.needs_host
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([f"web.{DOMAIN}"], f"web.{DOMAIN} has address {WEB}"),
        (["-T", f"web.{DOMAIN}"], f"web.{DOMAIN} has address {WEB}"),
        (["-t", "AAAA", f"web.{DOMAIN}"], f"web.{DOMAIN} has no AAAA record"),
        (["-t", "SRV", f"_http._tcp.web.{DOMAIN}"], f"_http._tcp.web.{DOMAIN} has SRV record 0 100 80 web.{DOMAIN}."),
        (["-t", "ANY", f"web.{DOMAIN}"], f"web.{DOMAIN} has address {WEB}"),
        ([f"site.{DOMAIN}"], f"site.{DOMAIN} is an alias for www.example."),
        ([f"site.{DOMAIN}"], f"www.example has address {SITE}"),
        (["-t", "A", f"many.{DOMAIN}"], f"many.{DOMAIN} has address 127.251.2.119"),
        ([WEB], f"1.0.251.127.in-addr.arpa domain name pointer web.{DOMAIN}."),
        (
            ["-t", "SOA", "cluster.local"],
            "cluster.local has SOA record ns.dns.cluster.local. hostmaster.cluster.local.",
        ),
        (["-t", "A", "www.example"], f"www.example has address {SITE}"),
        (["web"], f"web.{DOMAIN} has address {WEB}"),
    ],
)
def test_host_prints_what_there_is(machine: Machine, arguments: list[str], line: str) -> None:
    machine.resolve_by(POD)
    output = machine.run("host", *arguments)
    assert any(each.startswith(line) for each in output.splitlines()), output
