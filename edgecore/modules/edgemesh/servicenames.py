"""Which service a person means (pure)."""

import difflib

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable

_DEFAULT_NAMESPACE = "default"
_MOST_NEAR = 5


def meant(table: ServiceTable, text: str, namespace: str = "") -> ServiceEntry | tuple[str, ...]:
    """Return the service that is meant; if there is none, the names near to it as ``namespace/name``.

    It may be written ``name``, ``namespace/name``, as a name of DNS (``name.namespace``, more behind it, the host name
    of a pod before it), or be a fake IP; of a pod that has a name its service is meant. A bare name is one of
    ``namespace``, or else of ``default``, or else of the only namespace that has it.
    """
    at_address = table.at_address(text)
    if at_address is not None:
        return table.get(at_address.key.service) or at_address
    for key in _readings(text, namespace):
        found = table.get(key)
        if found is not None:
            return table.get(key.service) or found
    name = text.rpartition("/")[2].partition(".")[0]
    same = [entry for entry in table if entry.key.name == name]
    if len(same) == 1 and text == name and not namespace:
        return same[0]
    names = dict.fromkeys(entry.key.name for entry in table)
    close = [key for near in difflib.get_close_matches(name, names, _MOST_NEAR) for key in _called(table, near)]
    return tuple(dict.fromkeys([*map(str, _called(table, name)), *map(str, close)]))[:_MOST_NEAR]


def _called(table: ServiceTable, name: str) -> list[ServiceKey]:
    return sorted(entry.key for entry in table if entry.key.name == name)


def no_service(table: ServiceTable, text: str, namespace: str = "") -> str:
    """Return the sentence that says that no service is meant by ``text``, and what to do."""
    near = meant(table, text, namespace)
    if not table.complete:
        advice = "the node has just started and does not know all services yet; try again"
    elif isinstance(near, tuple) and near:
        advice = f"there is {', '.join(near)}"
    else:
        advice = "`edgecore services` lists those that there are"
    where = f" in {namespace}" if namespace else ""
    return f"cannot show {text}{where}: there is no such service; {advice}"


def _readings(text: str, namespace: str) -> list[ServiceKey]:
    before, slash, after = text.partition("/")
    if slash:
        return [ServiceKey(before, after)]
    labels = text.lower().rstrip(".").split(".")
    match labels:
        case [name]:
            return [ServiceKey(namespace or _DEFAULT_NAMESPACE, name)]
        case [name, within]:
            return [ServiceKey(within, name)]
        case [hostname, name, within, *_] if within != "svc":
            return [ServiceKey(within, name).pod(hostname)]
        case [name, within, *_]:
            return [ServiceKey(within, name)]
    return [ServiceKey(namespace, text)]
