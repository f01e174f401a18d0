"""What the node said of a pod before it was started again: reading a stored PodStatusRequest (pure)."""

from typing import NamedTuple

import msgspec

from edgecore.errors import ContentError
from edgecore.modules.edged.podstatus import Json
from edgecore.modules.edged.runtime import Containers, ContainerState, Ended


class Remembered(NamedTuple):
    """A stored PodStatusRequest: the JSON value, and what is needed of it to go on after a restart."""

    request: Json
    uid: str
    phase: str
    pod_ip: str
    started_at: str
    containers: Containers


class _View(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a stored status; nothing else of it is looked at."""


class _Waiting(_View, frozen=True):
    reason: str = ""
    message: str = ""


class _Running(_View, frozen=True):
    started_at: str | None = None


class _Terminated(_View, frozen=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = msgspec.field(default="", name="containerID")

    @property
    def ended(self) -> Ended:
        return Ended(
            self.exit_code,
            self.reason,
            self.message,
            self.signal,
            self.started_at or "",
            self.finished_at or "",
            self.container_id,
        )


class _State(_View, frozen=True):
    waiting: _Waiting | None = None
    running: _Running | None = None
    terminated: _Terminated | None = None


class _Container(_View, frozen=True):
    name: str = ""
    state: _State = _State()
    last_state: _State = _State()
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")
    started: bool | None = None


class _Status(_View, frozen=True):
    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    start_time: str | None = None
    init_container_statuses: tuple[_Container, ...] | None = None
    container_statuses: tuple[_Container, ...] | None = None


class _Request(_View, frozen=True):
    uid: str = msgspec.field(name="UID")
    status: _Status = msgspec.field(name="Status")


def remembered(data: bytes) -> Remembered:
    """Return what a stored PodStatusRequest says. Raises ``ContentError``."""
    try:
        value = msgspec.json.decode(data)
        view = msgspec.convert(value, _Request)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"cannot decode stored status of a pod: {error}") from error
    status = view.status
    init = [_before(each, is_init=True) for each in status.init_container_statuses or ()]
    main = [_before(each, is_init=False) for each in status.container_statuses or ()]
    return Remembered(value, view.uid, status.phase, status.pod_ip, status.start_time or "", (*init, *main))


def _before(container: _Container, *, is_init: bool) -> ContainerState:
    state, last = container.state, container.last_state.terminated
    before = ContainerState(
        container.name,
        "waiting",
        image=container.image,
        image_id=container.image_id,
        container_id=container.container_id,
        restarts=container.restart_count,
        is_init=is_init,
        last=last.ended if last else None,
    )
    if state.running is not None:
        return before._replace(
            state="running",
            started_at=state.running.started_at or "",
            passes=container.ready or is_init,
            started=container.started is not False,
        )
    if state.terminated is not None:
        ended = state.terminated.ended
        return before._replace(
            state="terminated",
            started_at=ended.started_at,
            finished_at=ended.finished_at,
            exit_code=ended.exit_code,
            signal=ended.signal,
            reason=ended.reason,
            message=ended.message,
        )
    waiting = state.waiting or _Waiting()
    return before._replace(reason=waiting.reason, message=waiting.message)
