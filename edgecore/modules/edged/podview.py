"""The pods of the node for people, as ``kubectl`` shows them (pure; kubernetes pkg/printers/internalversion)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from edgecore.errors import ContentError
from edgecore.modules.edged.knownpod import KnownPod
from edgecore.modules.edged.runtime import ContainerState

Json = dict[str, Any]


class ContainerLog(NamedTuple):
    """Which run of which container is meant."""

    pod_uid: str
    container: str
    restarts: int
    runs: bool
    """Whether more may be printed."""


def pod_rows(pods: Iterable[KnownPod], host_ip: str) -> list[Json]:
    """Return what there is to show of each pod."""
    return [_row(known, host_ip) for known in pods]


def find_log(pods: Iterable[KnownPod], name: str, container: str, *, previous: bool) -> ContainerLog:
    """Return which log is meant by the name of a pod (``NAME`` or ``NAMESPACE/NAME``) and of a container, if it has
    more than one. Raises ``ContentError``, which says what there is.
    """
    namespace, _, plain = name.rpartition("/")
    found = [each for each in pods if each.key.name == plain and namespace in ("", each.key.namespace)]
    if not found:
        raise ContentError(f"cannot show logs of {name}: the node has no such pod; see `edgecore pods`")
    if len(found) > 1:
        keys = ", ".join(str(each.key) for each in found)
        raise ContentError(f"cannot show logs of {name}: there are {keys}; name one of them")
    pod = found[0]
    main = [each.name for each in pod.pod.spec.containers]
    names = [each.name for each in pod.containers] or main
    wanted = container or (main[0] if len(main) == 1 else "")
    if wanted not in names:
        which = f"no container {container}" if container else "more than one container"
        raise ContentError(f"cannot show logs of {name}: it has {which}; name one with -c: {', '.join(names)}")
    state = next((each for each in pod.containers if each.name == wanted), None)
    if state is None or (state.state == "waiting" and state.last is None):
        why = f" ({state.reason})" if state is not None and state.reason else ""
        raise ContentError(f"cannot show logs of {name}: container {wanted} was not started yet{why}")
    if previous and not state.restarts:
        raise ContentError(f"cannot show previous logs of {name}: container {wanted} was not started again")
    return ContainerLog(pod.uid, wanted, state.restarts - int(previous), runs=state.state == "running" and not previous)


def _row(known: KnownPod, host_ip: str) -> Json:
    main = [each for each in known.containers if not each.is_init]
    return {
        "namespace": known.key.namespace,
        "name": known.key.name,
        "uid": known.uid,
        "phase": known.phase,
        "status": _status(known),
        "ready": sum(each.ready for each in main),
        "containers_wanted": len(known.pod.spec.containers),
        "restarts": sum(each.restarts for each in main),
        "started_at": known.started_at,
        "pod_ip": known.pod_ip(host_ip),
        "host_ip": host_ip,
        "terminating": known.pod.terminating,
        "containers": [_container(each) for each in known.containers],
    }


def _status(known: KnownPod) -> str:
    if known.pod.terminating:
        return "Terminating"
    init = [each for each in known.containers if each.is_init]
    for number, each in enumerate(init):
        if each.state == "terminated" and not each.exit_code:
            continue
        reason = "" if each.reason in ("", "PodInitializing", "ContainerCreating") else each.reason
        return f"Init:{reason}" if reason else f"Init:{number}/{len(init)}"
    main = [each for each in known.containers if not each.is_init]
    if known.phase in ("Running", "Succeeded", "Failed") and any(each.state == "running" for each in main):
        waiting = [each.reason for each in main if each.state == "waiting" and each.reason]
        return waiting[0] if waiting else "Running"
    return _first_reason(main) or known.reason or known.phase


def _first_reason(containers: Sequence[ContainerState]) -> str:
    return next((each.reason for each in containers if each.state != "running" and each.reason), "")


def _container(state: ContainerState) -> Json:
    last = state.last
    return {
        "name": state.name,
        "image": state.image,
        "init": state.is_init,
        "state": state.state,
        "ready": state.ready,
        "restarts": state.restarts,
        "reason": state.reason,
        "message": state.message,
        "exit_code": state.exit_code if state.state == "terminated" else None,
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "last_exit_code": None if last is None else last.exit_code,
        "last_reason": "" if last is None else last.reason,
    }
