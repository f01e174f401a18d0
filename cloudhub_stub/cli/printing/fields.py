"""What several tables and descriptions show of an object: labels, selectors, ports, addresses, conditions."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudhub_stub.cluster.kinds import Object

NONE = "<none>"
UNSET = "<unset>"

_MOST_ENDPOINTS = 3
_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
_OPERATORS: Mapping[str, str] = {"In": "in", "NotIn": "notin"}
_COMPARISONS: Mapping[str, str] = {"Gt": ">", "Lt": "<"}


def status_of(obj: Object) -> dict[str, Any]:
    """Return the status; empty where there is none."""
    return obj.get("status") or {}


def spec_of(obj: Object) -> dict[str, Any]:
    """Return the spec; empty where there is none."""
    return obj.get("spec") or {}


def pairs(values: Mapping[str, Any] | None) -> str:
    """Return labels, or a selector of labels, on one line: ``a=b,c=d``."""
    return ",".join(f"{name}={values[name]}" for name in sorted(values)) if values else NONE


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """Return a selector with ``matchLabels`` and ``matchExpressions`` on one line, as ``-l`` takes it."""
    if not selector:
        return NONE
    labels = selector.get("matchLabels") or {}
    parts = [f"{name}={labels[name]}" for name in sorted(labels)]
    parts += map(requirement, selector.get("matchExpressions") or ())
    return ",".join(parts) or NONE


def requirement(expression: Mapping[str, Any]) -> str:
    """Return one match expression as ``-l`` takes it: ``zone in (a,b)``, ``!gpu``, ``cores>3``."""
    key, operator = expression.get("key", ""), expression.get("operator", "")
    values = [str(value) for value in expression.get("values") or ()]
    if operator in _OPERATORS:
        return f"{key} {_OPERATORS[operator]} ({','.join(sorted(values))})"
    if operator in _COMPARISONS:
        return f"{key}{_COMPARISONS[operator]}{','.join(values)}"
    return f"!{key}" if operator == "DoesNotExist" else str(key)


def service_ports(service: Object) -> str:
    """Return the ports: ``80/TCP,8080:30080/TCP``."""
    ports = spec_of(service).get("ports") or ()
    return ",".join(f"{_with_node_port(port)}/{port.get('protocol') or 'TCP'}" for port in ports) or NONE


def external_ip(service: Object) -> str:
    """Return where a service is reached from outside the cluster."""
    spec = spec_of(service)
    given = [str(address) for address in spec.get("externalIPs") or ()]
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName") or NONE)
        case "LoadBalancer":
            ingress = (status_of(service).get("loadBalancer") or {}).get("ingress") or ()
            ready = [str(point.get("ip") or point.get("hostname") or "") for point in ingress]
            return ",".join([*ready, *given]) or "<pending>"
    return ",".join(given) or NONE


def endpoint_list(endpoints: Object | None, port_name: str | None = None) -> str:
    """Return the first addresses that are ready, with their ports, and how many more there are.

    Only those of the port of that name, unless it is ``None``; a subset without ports shows its addresses alone.
    """
    found: list[str] = []
    for subset in (endpoints or {}).get("subsets") or ():
        addresses = [str(address.get("ip") or "") for address in subset.get("addresses") or ()]
        if not subset.get("ports"):
            found += addresses
        for port in subset.get("ports") or ():
            if port_name is None or port_name == (port.get("name") or ""):
                found += [host_port(address, port.get("port")) for address in addresses]
    more = len(found) - _MOST_ENDPOINTS
    shown = ",".join(found[:_MOST_ENDPOINTS]) or NONE
    return f"{shown} + {more} more..." if more > 0 else shown


def host_port(host: str, port: Any) -> str:
    """Return both in one text; an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def condition(obj: Object, kind: str) -> dict[str, Any]:
    """Return the condition of that type; empty where there is none."""
    for found in status_of(obj).get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return {}


def node_status(node: Object) -> str:
    """Return ``Ready``, ``NotReady`` (also when nothing is heard of it) or ``Unknown`` (no word yet), and whether
    pods may be put on it."""
    ready = condition(node, "Ready")
    status = "Unknown" if not ready else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{status},SchedulingDisabled" if spec_of(node).get("unschedulable") else status


def node_roles(node: Object) -> str:
    """Return the roles that its labels give a node."""
    labels = node["metadata"].get("labels") or {}
    roles = {name.removeprefix(_ROLE_PREFIX) for name in labels if name.startswith(_ROLE_PREFIX)}
    roles.add(labels.get(_ROLE_LABEL) or "")
    return ",".join(sorted(role for role in roles if role)) or NONE


def node_address(node: Object, kind: str) -> str:
    """Return the first address of that type, such as ``InternalIP``."""
    for address in status_of(node).get("addresses") or ():
        if address.get("type") == kind:
            return str(address.get("address") or NONE)
    return NONE


def device_node(device: Object) -> str:
    """Return the node that a device is at: the first that its node selector names."""
    for term in (spec_of(device).get("nodeSelector") or {}).get("nodeSelectorTerms") or ():
        for expression in term.get("matchExpressions") or ():
            for value in expression.get("values") or ():
                return str(value)
    return NONE


def device_model(device: Object) -> str:
    """Return the model of a device."""
    return str((spec_of(device).get("deviceModelRef") or {}).get("name") or NONE)


def joined(values: Iterable[Any], empty: str = NONE) -> str:
    """Return values with commas between them."""
    return ",".join(map(str, values)) or empty


def _with_node_port(port: Mapping[str, Any]) -> str:
    return f"{port.get('port')}:{port['nodePort']}" if port.get("nodePort") else str(port.get("port"))
