"""The order in which glibc looks for a host name: ``hosts:`` of nsswitch.conf(5), and the hosts file (pure)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from edgecore.doctor.finding import Finding

PATH = "/etc/nsswitch.conf"
HOSTS_PATH = "/etc/hosts"

_CHECK = "nsswitch"
_HOSTS = re.compile(r"^[ \t]*hosts:([^#\n]*)", re.MULTILINE)
_ITEM = re.compile(r"\[[^\]]*\]|[^\s\[]+")
_SHOWN = 3


class Source(NamedTuple):
    """One place where names are looked up, and when the search ends there."""

    name: str
    actions: tuple[str, ...] = ()
    """Such as ``notfound=return``, lower case."""

    @property
    def ends_on_not_found(self) -> bool:
        """Whether the sources behind it are not asked for a name that this one does not know."""
        return any(
            action.endswith("=return")
            and (action.startswith("notfound") or (action[0] == "!" and not action.startswith("!notfound")))
            for action in self.actions
        )

    def __str__(self) -> str:
        return f"{self.name} [{' '.join(self.actions)}]" if self.actions else self.name


def hosts_sources(text: str) -> list[Source] | None:
    """Return the sources of host names in their order; ``None``: the file does not say."""
    lines = _HOSTS.findall(text)
    if not lines:
        return None
    sources: list[Source] = []
    for item in _ITEM.findall(lines[-1]):
        if not item.startswith("["):
            sources.append(Source(item))
        elif sources:
            sources[-1] = sources[-1]._replace(actions=tuple(item.strip("[]").lower().split()))
    return sources


def check_nsswitch(text: str | None, domain: str) -> list[Finding]:
    """Say whether DNS is asked for the names below ``domain``; ``text`` of ``None``: there is no such file."""
    sources = None if text is None else hosts_sources(text)
    if sources is None:
        return [Finding("ok", _CHECK, f"{PATH} says nothing of hosts: programs ask DNS, as is the default")]
    names = [source.name for source in sources]
    shown = f"hosts: {' '.join(map(str, sources))}"
    faults = [*_misspelt(names)]
    if "dns" not in names:
        faults.append(_without_dns(sources))
    else:
        faults += _before_dns(sources, domain)
    return faults or [Finding("ok", _CHECK, f"programs ask DNS{_after_files(names)} ({shown})")]


def check_hosts_file(text: str | None, domain: str) -> list[Finding]:
    """Say whether the hosts file, which programs look into first, has names below ``domain``."""
    shadowing = [
        name
        for line in (text or "").splitlines()
        for name in line.partition("#")[0].split()[1:]
        if name.lower().rstrip(".").endswith(f".{domain}")
    ]
    if not shadowing:
        return []
    more = f" and {len(shadowing) - _SHOWN} more" if len(shadowing) > _SHOWN else ""
    listed = ", ".join(shadowing[:_SHOWN])
    text = f"{HOSTS_PATH} has {listed}{more}: programs take the address from there, not from the node"
    return [Finding("warning", "hosts_file", text, f"remove the lines with .{domain} from {HOSTS_PATH}")]


def _misspelt(names: list[str]) -> Iterator[Finding]:
    if "file" in names:
        text = 'the source "file" does not exist: glibc skips it, and /etc/hosts is not read'
        yield Finding("warning", _CHECK, text, rf"sudo sed -i.bak '/^hosts:/s/\bfile\b/files/' {PATH}")


def _without_dns(sources: list[Source]) -> Finding:
    line = _line([*sources, Source("dns")])
    if any(source.name == "resolve" for source in sources):
        return _resolved_first("no dns behind resolve: where systemd-resolved does not run, no name is found", line)
    text = f"programs do not ask DNS at all (hosts: {' '.join(map(str, sources))}): no service is found by name"
    return Finding("problem", _CHECK, text, _set_line(line))


def _before_dns(sources: list[Source], domain: str) -> Iterator[Finding]:
    at = [source.name for source in sources].index("dns")
    before, dns, behind = sources[:at], sources[at], sources[at + 1 :]
    for source in before:
        if source.name == "resolve" and source.ends_on_not_found:
            text = "programs ask systemd-resolved before DNS and take its word: a resolv.conf does not bring them here"
            yield _resolved_first(text, "")
        elif source.name.startswith("mdns") and source.ends_on_not_found:
            if f".{domain}".endswith(".local"):
                moved = [one for one in before if not one.name.startswith("mdns")]
                late = [one for one in before if one.name.startswith("mdns")]
                text = (
                    f"{source} is asked before dns and ends the search for names below .local, which {domain} is:"
                    " nss-mdns before 0.11 always, later ones for names of two labels, and for all if mdns.allow says"
                )
                yield Finding("warning", _CHECK, text, _set_line(_line([*moved, dns, *late, *behind])))
        elif source.ends_on_not_found:
            text = f"{source} before dns ends the search: DNS is not asked for what {source.name} does not know"
            rest = [one._replace(actions=()) if one is source else one for one in before]
            yield Finding("problem", _CHECK, text, _set_line(_line([*rest, dns, *behind])))


def _resolved_first(text: str, line: str) -> Finding:
    advice = "have systemd-resolved ask the node for cluster names (docs/how-to/dns.md, systemd-resolved)"
    return Finding("note", _CHECK, text, f"{advice}; {_set_line(line)}" if line else advice)


def _after_files(names: list[str]) -> str:
    if "files" in names and names.index("files") < names.index("dns"):
        return " after /etc/hosts, which does no harm as long as that names no service"
    return " first"


def _line(sources: list[Source]) -> str:
    text = " ".join(map(str, sources))
    return f"hosts: {text.replace('notfound', 'NOTFOUND').replace('unavail', 'UNAVAIL')}"


def _set_line(line: str) -> str:
    return f"sudo sed -i.bak 's/^hosts:.*/{line}/' {PATH}"
