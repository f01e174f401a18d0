"""From a name to what DNS makes of it: a service or a pod of ours, something outside, or nothing, and why (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from edgecore.modules.edgemesh.explain.asked import Asked
from edgecore.modules.edgemesh.explain.explanation import Source, Step, Verdict
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.modules.edgemesh.explain.sources import of_service, of_setting
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.servicenames import meant
from edgecore.modules.edgemesh.services import ServiceEntry

Json = Mapping[str, Any]
_MISSING = frozenset(("no_such_service", "no_such_part", "no_such_type", "names_below", "domain"))
_MOST_ADDRESSES = 4


class Found(NamedTuple):
    """What a name, or an address, leads to: an entry of the table, or a verdict where the way ends here."""

    steps: tuple[Step, ...]
    entry: ServiceEntry | None = None
    verdict: Verdict | None = None


def by_name(asked: Asked, told: Json, sight: Sight, node: Node) -> Found:
    """Return what follows from ``told``, the answer of ``HandQuery.ask`` for the A records of the name."""
    rule, key = str(told.get("rule")), _key(told)
    addresses = [str(one["data"]) for one in told.get("answer") or () if one["type"] == "A"]
    entry = next(filter(None, map(sight.table.at_address, addresses)), None)
    source = of_service(node, key) if key is not None else ()
    if rule == "recovering":
        return Found((_step(told, "broken", "SERVFAIL"),), verdict=_not_recovered())
    steps: tuple[Step, ...] = ()
    if rule == "external_name" and key is not None:
        steps = (_alias(key, sight, node),)
    if entry is not None:
        text = f"{entry.address} (A{_ttl(told)})"
        silent = () if node.dns else ("DNS listens nowhere, so nobody can ask it: `edgecore status` says why",)
        not_led = (told.get("led") or {}).get("problem")
        silent = (*silent, not_led) if not_led else silent
        dns = _step(told, "warning" if silent else "ok", text, (*source, *_ttl_setting(node)), silent)
        return Found((dns, *steps), entry)
    if addresses:
        return _outside(asked, told, addresses, steps, node)
    return _missing(asked, told, steps, sight, node)


def _outside(asked: Asked, told: Json, addresses: list[str], steps: tuple[Step, ...], node: Node) -> Found:
    shown = ", ".join(addresses[:_MOST_ADDRESSES])
    step = _step(told, "ok", f"{shown} (A{_ttl(told)})", why=tuple(_servers(told)))
    aliases = " as an ExternalName says" if steps else ""
    verdict = Verdict(
        "past_the_mesh",
        f"would go past the mesh, to {shown}{aliases}; whether that answers is not looked at",
        works=True,
    )
    return Found((step, *steps), verdict=verdict)


def _missing(asked: Asked, told: Json, steps: tuple[Step, ...], sight: Sight, node: Node) -> Found:
    rule, status = str(told.get("rule")), str(told.get("status"))
    fact = "no A record" if status == "NOERROR" else status
    broken = [step for step in steps if step.state == "broken"]
    if broken:
        return Found(
            (_step(told, "broken", fact), *steps),
            verdict=Verdict("no_such_name", f"could not be resolved: {broken[0].why[0]}", works=False),
        )
    advice = tuple(_advice(asked, rule, sight, node))
    upstream = tuple(_servers(told)) if rule not in _MISSING else ()
    dns = _step(told, "broken", fact, why=(*upstream, *advice))
    if rule in _MISSING:
        return Found(
            (dns, *steps), verdict=Verdict("no_such_name", "could not be resolved: there is no such name", works=False)
        )
    if status == "SERVFAIL":
        ours = "there is no service of that name here, and " * (asked.host.count(".") <= 1)
        text = f"could not be resolved: {ours}no name server answers"
        return Found((dns, *steps), verdict=Verdict("name_servers_fail", text, works=False))
    return Found(
        (dns, *steps), verdict=Verdict("no_such_name", "could not be resolved: there is no such name", works=False)
    )


def _alias(key: ServiceKey, sight: Sight, node: Node) -> Step:
    """Return what the ExternalName comes to."""
    found = node.directory.stands_for(key, 80)
    source = of_service(node, key)
    if isinstance(found, Refusal):
        fact = _ALIASES.get(found.reason, found.reason)
        return Step(step="service", state="broken", fact=fact, why=(found.text,), sources=source)
    last, name = found
    outside = name or f"service {last}"
    why: tuple[str, ...] = ()
    if name and sight.plain:
        why = (f"who asks for it at the plain listener, {sight.plain}, is forwarded there by the mesh",)
    return Step(step="service", fact=f"{key}, an ExternalName: it stands for {outside}", why=why, sources=source)


_ALIASES = {
    "external_name_loop": "an ExternalName that leads back to itself, or to this host",
    "external_name_unusable": "an ExternalName that stands for nothing that can be asked for",
    "unknown_service": "an ExternalName that stands for a service that there is not",
}


def _advice(asked: Asked, rule: str, sight: Sight, node: Node) -> Iterator[str]:
    """Yield what else may be meant: services of that name elsewhere, or of a name like it."""
    if rule == "no_such_type" or (rule not in _MISSING and asked.host.count(".") > 1):
        return
    near = meant(sight.table, asked.host, asked.namespace)
    if isinstance(near, ServiceEntry):  # it is there, and its name is another
        near = (str(near.key),)
    names = [_dns_name(text, node.domain) for text in near]
    label = asked.host.partition(".")[0]
    same = [name for name in names if name.partition(".")[0] == label]
    if same:
        yield f"a service of that name is in another namespace: {', '.join(same)}"
    elif names:
        yield f"did you mean {', '.join(names)}?"
    elif rule in _MISSING or asked.namespace or "." not in asked.host:
        yield "`edgecore services` lists the services that there are"


def _dns_name(key: str, domain: str) -> str:
    namespace, _, name = key.partition("/")
    return f"{name}.{namespace}.svc.{domain}"


def _not_recovered() -> Verdict:
    return Verdict(
        "not_recovered", "could not be resolved yet: the node has just started; ask again in a moment", works=False
    )


def _step(told: Json, state: Any, fact: str, sources: tuple[Source, ...] = (), why: tuple[str, ...] = ()) -> Step:
    reason = f"{told.get('why')} (rule {told.get('rule')})"
    values = {key: told.get(key) for key in ("name", "type", "status", "answer", "rule", "service", "upstream")}
    return Step(step="dns", state=state, fact=fact, why=(reason, *why), sources=sources, values=values)


def _ttl(told: Json) -> str:
    answer = told.get("answer") or ()
    return f", TTL {min(one['ttl'] for one in answer)} s" if answer else ""


def _servers(told: Json) -> Iterator[str]:
    """Yield what the name servers had to do with it."""
    how = told.get("upstream")
    if not how:
        return
    zone = f" (of the zone {how['zone']})" if how.get("zone") else ""
    if how.get("outcome") in ("hit", "stale"):
        yield f"from the cache, once answered by {how.get('server') or 'a name server'}{zone}"
    elif how.get("server"):
        yield f"forwarded to {how['server']}{zone}, which answered so"
    else:
        tried = ", ".join(str(one.get("server")) for one in how.get("tried") or ()) or "no name server is known"
        yield f"forwarded{zone}, to no avail: {tried} ({how.get('reason') or how.get('outcome')})"


def _ttl_setting(node: Node) -> tuple[Source, ...]:
    return (of_setting(node, "modules.edgeMesh.dns.ttl"),) if "modules.edgeMesh.dns.ttl" in node.given else ()


def _key(told: Json) -> ServiceKey | None:
    key = told.get("service")
    return ServiceKey(key["namespace"], key["name"]) if key else None
