"""What the host's resolv.conf means for the names of services (pure)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edgecore.doctor.finding import Finding
from edgecore.modules.edgemesh.dns.resolver.resolvconf import (
    SERVERS_READ,
    ResolvConf,
    marked_host,
    nameable,
    read_resolv_conf,
    take_out,
)

CHECK = "resolv_conf"
REPAIR = "edgecore doctor --fix-resolv-conf"

_STUBS = ("127.0.0.53", "127.0.0.54")
_MOST_DIGITS = 4
_SERVICE_DOTS = 4
"""In ``web.default.svc.cluster.local``."""


class HostFile(NamedTuple):
    """The file as it was found."""

    path: str
    content: bytes | None
    """``None``: it is not there or cannot be read."""
    target: str | None = None
    """Where it leads, if it is a symbolic link."""
    is_held: bool = False
    """Whether a node runs that has put itself into it."""


class Led(NamedTuple):
    """What a running node in mode intercept says of questions to the host's name servers."""

    servers: tuple[str, ...]
    """Those whose questions are led to the node."""
    text: str = ""
    """Why there are none, or not all."""
    is_problem: bool = False


def check_resolv_conf(
    file: HostFile, dns_addresses: Sequence[tuple[str, int]] | None, *, wanted: bool, led: Led | None = None
) -> list[Finding]:
    """Say who is asked for names.

    ``dns_addresses``: where the running node listens, ``None`` if none runs; ``wanted``: it is to put itself first;
    ``led`` of ``None``: rules that lead questions are not what it is to bring them by.
    """
    if file.content is None:
        text = f"{file.path} cannot be read: programs ask 127.0.0.1, and the node knows no other name server"
        return [Finding("warning", CHECK, text, "name servers in modules.edgeMesh.dns.upstreams")]
    said = read_resolv_conf(file.content.decode(errors="replace"))
    found = [
        *_left_by_a_crash(file),
        *_servers(file, said),
        *_link(file, wanted),
        *(_order(file, said, dns_addresses, wanted) if led is None else _by_rules(file, said, led)),
        *_search(said),
    ]
    return found or [Finding("ok", CHECK, f"{file.path} names {', '.join(said.servers)}")]


def host_names_node(content: bytes | None, dns_addresses: Sequence[tuple[str, int]], led: Led | None = None) -> bool:
    """Say whether programs that go by the file ask the node first."""
    host = nameable(dns_addresses)
    first = read_resolv_conf((content or b"").decode(errors="replace")).servers[:1]
    return first in [(server,) for server in (host, *(led.servers if led is not None else ()))]


def _left_by_a_crash(file: HostFile) -> Iterator[Finding]:
    host = marked_host(file.content or b"")
    if host is not None and not file.is_held:
        text = (
            f"{file.path} names {host}, put there by a node that was killed: every name is asked there first, in vain"
        )
        yield Finding("problem", CHECK, text, f"sudo {REPAIR} (or start the node again)")


def _servers(file: HostFile, said: ResolvConf) -> Iterator[Finding]:
    others = read_resolv_conf(take_out(file.content or b"").decode(errors="replace")).servers
    if not others:
        text = f"{file.path} names no other server: names outside the cluster are answered by nobody"
        yield Finding("warning", CHECK, text, "name servers in modules.edgeMesh.dns.upstreams, or in the file")
    if len(said.servers) > SERVERS_READ:
        left_out = ", ".join(said.servers[SERVERS_READ:])
        text = (
            f"{file.path} has {len(said.servers)} servers: programs ask the first {SERVERS_READ} and never {left_out}"
        )
        yield Finding("note", CHECK, text)
    if "rotate" in said.options:
        text = "options rotate has programs take turns between the servers: those behind the node do not know services"
        yield Finding("warning", CHECK, text, rf"sudo sed -i.bak '/^options/s/\brotate\b//' {file.path}")


def _link(file: HostFile, wanted: bool) -> Iterator[Finding]:
    stub = any(server in _STUBS for server in read_resolv_conf((file.content or b"").decode(errors="replace")).servers)
    if stub:
        text = "programs ask the stub of systemd-resolved, which knows nothing of the node by itself"
        yield Finding(
            "note", CHECK, text, "a file in /etc/systemd/resolved.conf.d (docs/how-to/dns.md, systemd-resolved)"
        )
    if file.target is not None:
        text = f"{file.path} is a link to {file.target}, which another program writes"
        if wanted:
            advice = "tell that program of the node (docs/how-to/dns.md), and set manageResolvConf to false"
            yield Finding("problem", CHECK, f"{text}: manageResolvConf leaves it as it is", advice)
        elif not stub:
            yield Finding("note", CHECK, text)


def _order(
    file: HostFile, said: ResolvConf, addresses: Sequence[tuple[str, int]] | None, wanted: bool
) -> Iterator[Finding]:
    if addresses is None:
        return
    host = nameable(addresses)
    if not addresses:
        text = "the node's DNS listens nowhere: nobody can ask it"
        yield Finding("problem", CHECK, text, "edgecore status says why; modules.edgeMesh.dns.listen says where")
    elif host is None:
        text = "the node's DNS is not on port 53, and a resolv.conf names no ports: programs do not ask it"
        advice = 'eval "$(edgecore env --config FILE)" for HTTP; or set modules.edgeMesh.dns.listen to 127.0.0.1:53'
        yield Finding("problem" if wanted else "note", CHECK, text, advice)
    elif said.servers[:1] == (host,):
        others = [server for server in said.servers if server != host]
        yield Finding("ok", CHECK, f"{file.path} names the node ({host}) first, then {', '.join(others) or 'nobody'}")
    elif host in said.servers:
        text = f"{file.path} names the node ({host}), but {said.servers[0]} before it, whose no is final"
        yield Finding(
            "warning", CHECK, text, f"put nameserver {host} before the others, or set manageResolvConf to true"
        )
    elif wanted:
        text = f"{file.path} does not name the node ({host}), though manageResolvConf is set: another program wrote it"
        yield Finding("warning", CHECK, text, "restart the node; tell that program of the node (docs/how-to/dns.md)")
    else:
        text = f"{file.path} does not name the node ({host}): programs do not ask it"
        yield Finding("note", CHECK, text, f"set manageResolvConf to true, or put nameserver {host} before the others")


def _by_rules(file: HostFile, said: ResolvConf, led: Led) -> Iterator[Finding]:
    if led.servers and said.servers[:1] == led.servers[:1]:
        yield Finding("ok", CHECK, f"questions to {', '.join(led.servers)}, named in {file.path}, are led to the node")
        return
    stale = f"questions to {', '.join(led.servers)} are led to the node, but {file.path} names others first"
    text = led.text or stale
    yield Finding(
        "problem" if led.is_problem else "note", CHECK, text, "edgecore status; docs/how-to/dns.md, mode intercept"
    )


def _search(said: ResolvConf) -> Iterator[Finding]:
    digits = [option.partition(":")[2] for option in said.options if option.startswith("ndots:")]
    ndots = int(digits[-1][:_MOST_DIGITS]) if digits and digits[-1].isdecimal() else 1
    if ndots > _SERVICE_DOTS and said.search:
        text = (
            f"options ndots:{ndots} has every name with fewer dots tried with {len(said.search)} search domains first:"
            f" a service by its full name takes {len(said.search) + 1} questions"
        )
        yield Finding("note", CHECK, text, "ask for names with a dot at the end")
