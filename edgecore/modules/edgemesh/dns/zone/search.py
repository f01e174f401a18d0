"""A pod's search list, seen from its first question (pure).

A resolver with the search list of a pod in namespace ``ns`` asks for a name with each of these behind it, until one
exists: ``<ns>.svc.<domain>``, ``svc.<domain>``, ``<domain>``, the search domains of the host, nothing. Who is asked the
first of these questions and knows how the list goes on can give the answer of the last (CoreDNS: plugin autopath).
"""

from collections.abc import Iterator, Sequence

from edgecore.modules.edgemesh.dns.packets.labels import Labels, fits, plain_name

DOMAINS_LIMIT = 6
"""So many search domains of the host count: each may be a question to an upstream server."""


class SearchList:
    """How the list goes on. ``host_domains`` are the search domains of the host; what is none is left out."""

    def __init__(self, host_domains: Sequence[str] = ()) -> None:
        known = (plain_name(text) for text in host_domains)
        self._host_domains = tuple(labels for labels in known if labels)[:DOMAINS_LIMIT]

    def in_cluster(self, asked: Labels, domain: Labels) -> Iterator[Labels]:
        """Yield the names of the cluster that are asked for behind ``asked``, which ends in ``<ns>.svc.<domain>``."""
        searched = searched_name(asked, domain)
        yield searched + asked[-len(domain) - 1 :]
        yield searched + domain

    def outside(self, searched: Labels) -> tuple[Labels, ...]:
        """Return the other names, in their order."""
        names = (*(searched + domain for domain in self._host_domains), searched)
        return tuple(name for name in names if fits(name))


def searched_name(asked: Labels, domain: Labels) -> Labels:
    """Return what is searched for: ``asked`` without ``<ns>.svc.<domain>``."""
    return asked[: -len(domain) - 2]
