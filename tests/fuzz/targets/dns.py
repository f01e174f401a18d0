"""DNS: packets of askers by UDP and TCP, replies of upstream servers, resolv.conf and the files beside it."""

from functools import cache
from ipaddress import IPv4Network

from dnsreplies import address, cname, opt, query, reply, soa
from edgecore.doctor.nsswitch import check_hosts_file, check_nsswitch
from edgecore.doctor.resolver import _search
from edgecore.modules.edgemesh.dns.byhand.presentation import present
from edgecore.modules.edgemesh.dns.listening.frames import Frames, NoQueryError
from edgecore.modules.edgemesh.dns.packets.messages import Question, UnreadableError, query_packet, read_message
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, QUERY_LIMIT_BYTES, Malformed, read_query
from edgecore.modules.edgemesh.dns.resolver import resolvconf
from edgecore.modules.edgemesh.dns.resolver.exchange import judge
from edgecore.modules.edgemesh.dns.zone.answers import Drop, Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPort
from fuzz.packets import fault, recorded_queries
from tests.fuzz.recorded import texts
from tests.fuzz.target import target

QUESTION = Question(b"\x03www\x07example\0", b"\0\1\0\1")
ASKED = query_packet(b"\x12\x34", QUESTION, edns=True)


@cache
def table() -> NameTable:
    """Return some services to ask for."""
    names = NameTable()
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    http = PublishedPort("http", "TCP", 80)
    for name, at, ports, alias in (
        ("web", "127.251.0.1", (http,), ""),
        ("out", None, (), "www.example.org"),
        ("self", None, (), "self.default.svc.cluster.local"),
    ):
        names.set(Published(ServiceKey("default", name), at, ports, external_name=alias))
    return names


@target(
    "edgecore.modules.edgemesh.dns.packets.packet",
    "edgecore.modules.edgemesh.dns.zone.answers",
    faces="whoever asks by UDP",
    seeds=lambda: [
        *recorded_queries(),
        *(
            query(f"{name}.default.svc.cluster.local", kind, opt=edns)
            for name in ("web", "out", "self", "_http._tcp.web")
            for kind in (1, 28, 33, 255)
            for edns in (b"", opt())
        ),
    ],
)
def dns_packet(data: bytes) -> None:
    """Every reply is one that its asker can read."""
    names = table()
    ready = names.ready(data)
    if ready is not None:
        assert not fault(data, ready)
    decision = decide(data, names)
    match decision:
        case Reply(packet):
            assert not fault(data, packet), (data, packet)
        case Drop():
            assert len(data) < HEADER_BYTES or data[2] & 0x80
    if len(data) >= HEADER_BYTES:
        found = read_query(data)
        assert isinstance(found, Malformed) or HEADER_BYTES < found.end <= len(data)


def framed(packet: bytes) -> bytes:
    """Return a packet as it goes over TCP."""
    return len(packet).to_bytes(2, "big") + packet


@target(
    "edgecore.modules.edgemesh.dns.listening.frames",
    faces="whoever asks by TCP",
    seeds=lambda: [b"".join(map(framed, recorded_queries()[:3])), framed(query("a.b") * 40)],
)
def dns_stream(data: bytes) -> None:
    """Cut up or whole, a stream has the same queries, and no more room is taken than there is."""
    assert _queries(data, 65_536) == _queries(data, 7)


def _queries(data: bytes, size: int) -> list[bytes | str]:
    frames, found, at = Frames(), list[bytes | str](), 0
    while at < len(data):
        room = frames.room()
        piece = data[at : at + min(size, len(room))]
        assert piece, "no room, and no query"
        room[: len(piece)] = piece
        frames.filled(len(piece))
        at += len(piece)
        try:
            while (packet := frames.next()) is not None:
                assert HEADER_BYTES <= len(packet) <= QUERY_LIMIT_BYTES
                found.append(packet)
        except NoQueryError as error:
            return [*found, error.reason]
    return found


@target(
    "edgecore.modules.edgemesh.dns.packets.messages",
    "edgecore.modules.edgemesh.dns.resolver.exchange",
    "edgecore.modules.edgemesh.dns.resolver.findings",
    "edgecore.modules.edgemesh.dns.byhand.presentation",
    faces="an upstream name server",
    seeds=lambda: [
        reply(ASKED, *answers, authority=authority, rcode=rcode)
        for answers, authority, rcode in (
            ((address("www.example"),), (), 0),
            ((cname("www.example", "a.example"), address("a.example")), (), 0),
            ((), (soa("example"),), 3),
            ((), (soa("example"),), 0),
            ((), (), 2),
        )
    ],
)
def upstream_reply(data: bytes) -> None:
    """Whatever is believed can be read, and repeats the question."""
    judged = judge(QUESTION, ASKED, data, 3600)
    if len(data) >= HEADER_BYTES:
        present(data)
    assert judged.word.replace("_", "").isalpha() or not judged.word
    end = HEADER_BYTES + len(QUESTION.wire)
    try:
        message = read_message(data, end)
    except UnreadableError:
        return
    for record in (*message.answers, *message.authority):
        assert end <= record.at < record.data_at <= record.end <= len(data)


@target(
    "edgecore.modules.edgemesh.dns.resolver.resolvconf",
    "edgecore.doctor.nsswitch",
    faces="files of the host: resolv.conf, nsswitch.conf, hosts",
    seeds=texts(
        "search a.b c\nnameserver 127.0.0.1 # edgecore: first while it runs\nnameserver fe80::1%eth0\n"
        "options ndots:5 # x\n",
        "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
        "127.0.0.1 localhost\n::1 web.default.svc.cluster.local\n",
    ),
)
def resolv_conf(data: bytes) -> None:
    """Our line comes first, and taken out again the rest is as it was."""
    text = data.decode(errors="replace")
    list(_search(resolvconf.read_resolv_conf(text)))
    without = resolvconf.take_out(data)
    assert resolvconf.marked_host(without) is None
    ours = resolvconf.put_first(data, "127.0.0.53")
    assert resolvconf.marked_host(ours) == "127.0.0.53"
    assert resolvconf.take_out(ours) == without
    assert resolvconf.nameservers(ours.decode(errors="replace"))[0] == ("127.0.0.53", 53)
    check_nsswitch(text, "cluster.local")
    check_hosts_file(text, "cluster.local")
