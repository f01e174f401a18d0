"""Who says so: messages, by the rows that they made, and settings; and how stale that is (pure)."""

from edgecore.beehive.resource import EDGED, EDGEMESH, ENDPOINTS, METAMANAGER, POD, PODLIST, SERVICE
from edgecore.modules.edgemesh.explain.explanation import Source, Step
from edgecore.modules.edgemesh.explain.sight import Cloud, Node
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.timespans import duration

_OURS = (EDGEMESH, METAMANAGER, EDGED)
"""What these say does not come from the cloud."""


def of_rows(node: Node, *keys: str) -> tuple[Source, ...]:
    """Return the messages behind these rows; a row that is not there, or has another author, has none."""
    return tuple(found for key in keys if (found := _of_row(node, key)) is not None)


def _of_row(node: Node, key: str) -> Source | None:
    told = node.origins(key)
    if told is None:
        return None
    is_stale = node.cloud.is_away and told["source"] not in _OURS
    return Source(
        kind="message",
        name=key,
        message_id=told["message_id"],
        source=told["source"],
        operation=told["operation"],
        resource=told["resource"],
        at_ms=told["at_ms"],
        age_s=max(0.0, told["age_s"]),
        stale_s=node.cloud.away_s if is_stale else None,
    )


def of_service(node: Node, key: ServiceKey) -> tuple[Source, ...]:
    """Return what says that there is a service and what it is."""
    return of_rows(node, f"{key.namespace}/{SERVICE}/{key.service.name}")


def of_pods(node: Node, key: ServiceKey) -> tuple[Source, ...]:
    """Return what says which pods a service has, and which of them are ready."""
    return of_rows(node, *(f"{key.namespace}/{kind}/{key.service.name}" for kind in (PODLIST, ENDPOINTS)))


def of_endpoints(node: Node, key: ServiceKey) -> tuple[Source, ...]:
    """Return what says which addresses are behind a service without a selector."""
    return of_rows(node, f"{key.namespace}/{ENDPOINTS}/{key.service.name}")


def of_node_pod(node: Node, namespace: str, name: str) -> tuple[Source, ...]:
    """Return what this node was told of a pod of its own."""
    found = of_rows(node, f"{namespace}/{POD}/{name}")
    return found or (Source(kind="node", name=f"{namespace}/{POD}/{name}", value="deleted"),)


def of_setting(node: Node, path: str) -> Source:
    """Return a setting of this node as a source."""
    value = node.settings.get(path, "")
    return Source(kind="setting", name=path, value=value, is_default=path not in node.given)


def cloud_step(cloud: Cloud) -> Step:
    """Return what is to be said of the link to the cloud."""
    values = cloud._asdict()
    if not cloud.state:
        return Step(
            step="cloud",
            state="warning",
            fact="this node has no link to a cloud",
            why=("all below is what its database holds",),
            values=values,
        )
    if cloud.state == "connected":
        return Step(step="cloud", fact=f"connected to {cloud.url}", values=values)
    fact, since = f"away for {duration(cloud.away_s)}", "before that"
    if not cloud.sessions:
        fact, since = f"not there since this node started, {duration(cloud.away_s)} ago", "before the start"
    why = (*([cloud.error] if cloud.error else []), f"what it said {since} is what holds; it may be stale")
    return Step(step="cloud", state="warning", fact=fact, why=why, values=values)
