"""What would happen to who asks for one port now (pure)."""

from edgecore.modules.edgemesh.explain.asked import Asked
from edgecore.modules.edgemesh.explain.explanation import Step, Verdict
from edgecore.modules.edgemesh.explain.ports import CUT, label
from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.services import Route
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.spec import Handling
from edgecore.modules.edgemesh.upstream.upstream import Upstream

_MOST_SHOWN = 3


def refused_at_once(word: str, port: str, why: str) -> Verdict:
    """Return that there is nothing at the port."""
    return Verdict(word, f"would be refused (connection refused): {why}", works=False, port=port)


def not_there(word: str, port: str, why: str, *, at_plain: bool) -> Verdict:
    """Return that the service has no such port, or that it is not served."""
    if at_plain:
        return Verdict(word, f"would be answered with 503 {word}: {why}", works=False, port=port)
    return refused_at_once(word, port, why)


def not_bound(problem: str, route: Route) -> Verdict:
    """Return that connections do not come to the mesh."""
    if problem == CUT:
        text = "would be refused or go astray: rules or routes of the kernel are missing"
        return Verdict("not_intercepted", text, works=False, port=label(route))
    why = f"the mesh has not got the port ({problem})"
    if (
        problem == "no_rule"
    ):  # by the rules, or by the route that stays without them: no connection, or no route to host
        return Verdict("port_not_bound", f"would be refused: {why}", works=False, port=label(route))
    if problem != "in_use":
        return refused_at_once("port_not_bound", label(route), why)
    text = f"would be answered by another program, or by nobody: {why}"
    return Verdict("port_not_bound", text, works=False, port=label(route))


def of_port(
    asked: Asked, route: Route, upstream: Upstream, protocol: Step, upcoming: Step | None, *, at_plain: bool = False
) -> Verdict:
    """Return what becomes of a request that comes to the mesh."""
    port = label(route)
    if protocol.state == "broken":
        return Verdict(
            "tls_to_http_port", "would be answered with 400: TLS at a port of HTTP/1.x", works=False, port=port
        )
    if not upstream.available:
        return _nobody(asked, "http" if at_plain else route.plan.handling, upstream.refusal(), port)
    if all(map(_fails, upstream.available)):
        return _failing(upstream.available, port)
    if upcoming is not None and upcoming.values["backend"]:
        host = next(host for host in upstream.available if str(host.endpoint) == upcoming.values["backend"])
        return Verdict("answered", f"would be answered by {host.backend.pod} at {host.endpoint}", works=True, port=port)
    names = [host.backend.pod for host in upstream.available]
    shown = ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
    return Verdict("answered", f"would be answered by one of {len(names)} backends: {shown}", works=True, port=port)


def _fails(host: Host) -> bool:
    """Return whether the last that is known of it is a failure."""
    return bool(host.failures or host.ejected_until) or host.checked is False


def _failing(hosts: tuple[Host, ...], port: str) -> Verdict:
    first = hosts[0]
    where = f"{first.backend.pod} at {first.endpoint}" if len(hosts) == 1 else f"one of {len(hosts)} backends"
    why = next(filter(None, (first.check_error, first.last_error)), "no reason is known")
    return Verdict(
        "backends_fail", f"would be tried at {where}, and fail as the last time: {why}", works=False, port=port
    )


def _nobody(asked: Asked, handling: Handling, refusal: Refusal, port: str) -> Verdict:
    """Return what a client gets to see where there is no backend. At the plain listener all is HTTP."""
    answer = f"would be answered with {refusal.status} {refusal.reason}"
    if handling == "datagrams":
        text = f"would get no answer, its datagrams are dropped ({refusal.reason})"
    elif handling == "bytes" or (handling == "sniff" and asked.scheme in ("https", "wss")):
        text = f"would be accepted and closed at once ({refusal.reason})"
    elif handling == "sniff" and not asked.scheme:
        text = f"{answer} if it is HTTP, else closed at once"
    else:
        text = answer
    return Verdict(refusal.reason, f"{text}: {_reason(refusal)}", works=False, port=port)


def _reason(refusal: Refusal) -> str:
    return refusal.text.partition(": ")[2] or refusal.text
