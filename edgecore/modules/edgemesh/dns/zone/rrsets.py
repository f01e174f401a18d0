"""The records of a name of ours, by type.

=========  ==========================================================================================
a name of  has
=========  ==========================================================================================
a service  A, its fake IP; without one, those of its pods. AAAA, if there is a prefix. SRV, one for each
           port that has a name; where it has pods with names of their own, one for each of these too
a port     SRV of that port
a pod      A, AAAA
an alias   CNAME
an address PTR
a domain   SOA, NS; below it ``ns.dns``: A, AAAA; ``dns-version``: TXT
=========  ==========================================================================================
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from dnslib import RR

from edgecore.modules.edgemesh.dns.packets import records as r
from edgecore.modules.edgemesh.dns.packets.labels import Labels
from edgecore.modules.edgemesh.dns.zone.nametable import Found, NameTable, Standing

SPEC_VERSION = b"1.1.0"
"""Of the Kubernetes DNS specification."""
_SMALL = (r.TYPE_A, r.TYPE_CNAME, r.TYPE_SOA, r.TYPE_PTR, r.TYPE_TXT)

Address = IPv4Address | IPv6Address


class Records(NamedTuple):
    """The answers to a question, and the addresses of the names in them."""

    answers: Sequence[RR] = ()
    additional: Sequence[RR] = ()


def records(labels: Labels, found: Found, qtype: int, names: NameTable) -> Records:
    """Return the records of type ``qtype`` that the name ``labels``, which is ``found``, has.

    ANY gets one record of a type of which there is one, or HINFO (RFC 8482 sections 4.1 and 4.2).
    """
    if qtype != r.TYPE_ANY:
        return _records(labels, found, qtype, names)
    for small in _SMALL:
        one = _records(labels, found, small, names)
        if len(one.answers) == 1:
            return one
    if any(_records(labels, found, rtype, names).answers for rtype in (r.TYPE_A, r.TYPE_AAAA, r.TYPE_SRV)):
        return Records([r.no_any_record(labels, names.ttl_s)])
    return Records()


def soa(found: Found, names: NameTable) -> RR:
    """Return the SOA record of the zone that a name is in."""
    return r.soa_record(found.zone, names.negative_ttl_s, names.domains[0] if found.is_reverse else None)


def _records(labels: Labels, found: Found, qtype: int, names: NameTable) -> Records:
    match qtype, found.standing:
        case ((r.TYPE_A | r.TYPE_AAAA), _):
            return Records(_address_records(labels, _addresses(found, names), qtype, names))
        case r.TYPE_SRV, (Standing.SERVICE | Standing.PORT):
            return _port_records(labels, found, names)
        case r.TYPE_CNAME, Standing.ALIAS:
            return Records([r.alias_record(labels, found.target, names.ttl_s)])
        case r.TYPE_PTR, Standing.POINTER:
            return Records([r.pointer_record(labels, found.target, names.ttl_s)])
        case r.TYPE_SOA, Standing.APEX:
            return Records([soa(found, names)])
        case r.TYPE_NS, Standing.APEX:
            return _server_records(found, names)
        case r.TYPE_TXT, Standing.VERSION:
            return Records([r.text_record(labels, SPEC_VERSION, names.ttl_s)])
    return Records()


def _addresses(found: Found, names: NameTable) -> Sequence[Address]:
    service = found.service
    if found.standing is Standing.SERVER:
        return names.server_addresses
    if found.standing is Standing.SERVICE and service is not None and service.address is not None:
        addresses = [IPv4Address(service.address)]
    elif found.standing in (Standing.SERVICE, Standing.POD):
        addresses = [IPv4Address(text) for text in dict.fromkeys(pod.address for pod in found.pods)]
    else:
        return ()
    return [*addresses, *(ipv6 for address in addresses if (ipv6 := names.ipv6(address)) is not None)]


def _address_records(owner: Labels, addresses: Sequence[Address], qtype: int, names: NameTable) -> list[RR]:
    version = 4 if qtype == r.TYPE_A else 6
    return [r.address_record(owner, address, names.ttl_s) for address in addresses if address.version == version]


def _both(owner: Labels, addresses: Sequence[Address], names: NameTable) -> list[RR]:
    return [r.address_record(owner, address, names.ttl_s) for address in addresses]


def _port_records(labels: Labels, found: Found, names: NameTable) -> Records:
    """Return the SRV records: to the service itself, or to each of its pods if they have names."""
    targets = [(found.owner, found._replace(standing=Standing.SERVICE))]
    if found.pods:
        by_hostname = {pod.hostname.lower(): pod for pod in found.pods}
        targets = [
            ((hostname.encode(), *found.owner), found._replace(standing=Standing.POD, pods=(pod,)))
            for hostname, pod in by_hostname.items()
        ]
    answers = [r.port_record(labels, target, port.number, names.ttl_s) for port in found.ports for target, _ in targets]
    additional = (
        [record for target, which in targets for record in _both(target, _addresses(which, names), names)]
        if answers
        else []
    )
    return Records(answers, additional)


def _server_records(found: Found, names: NameTable) -> Records:
    server = (*r.NAME_SERVER, *(names.domains[0] if found.is_reverse else found.zone))
    return Records([r.server_record(found.zone, server, names.ttl_s)], _both(server, names.server_addresses, names))
