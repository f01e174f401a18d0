"""Pods as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgecore.control.ages import age
from edgecore.control.columns import Columns

Json = Mapping[str, Any]

_COLUMNS = ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE")
_WIDE_COLUMNS = ("IP", "CONTAINERS", "MESSAGE")
_NONE = "<none>"


def pods_table(pods: Sequence[Json], now_ms: int, *, wide: bool = False, headers: bool = True) -> str:
    """Return a line for each pod."""
    if not pods:
        return "the node has no pods\n" if headers else ""
    head = [_COLUMNS + (_WIDE_COLUMNS if wide else ())] if headers else []
    rows = [_row(pod, now_ms) + (_more(pod) if wide else ()) for pod in pods]
    return "".join(f"{line}\n" for line in Columns().lines([*head, *rows]))


def _row(pod: Json, now_ms: int) -> tuple[str, ...]:
    return (
        str(pod.get("namespace", "?")),
        str(pod.get("name", "?")),
        f"{pod.get('ready', 0)}/{pod.get('containers_wanted', 0)}",
        str(pod.get("status", "?")),
        str(pod.get("restarts", 0)),
        age(pod.get("started_at"), now_ms),
    )


def _more(pod: Json) -> tuple[str, ...]:
    containers: Sequence[Json] = pod.get("containers") or ()
    messages = [str(each["message"]) for each in containers if each.get("message") and each.get("state") != "running"]
    names = ",".join(str(each.get("name")) for each in containers)
    return (str(pod.get("pod_ip") or _NONE), names or _NONE, messages[0] if messages else "")
