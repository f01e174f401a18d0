"""What commands can ask a running node about its pods, over its control socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from edgecore.clock import Clock
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ContentError
from edgecore.modules.edged.podview import ContainerLog
from edgecore.modules.edged.process.logreading import printed

MOST_LINES = 1_000_000_000


class PodsShown(Protocol):
    """The part of Edged that tells of pods."""

    def pod_rows(self) -> list[dict[str, Any]]:
        """Return what there is to show of each pod."""

    def find_log(self, pod: str, container: str, *, previous: bool) -> ContainerLog:
        """Return which log is meant. Raises ``ContentError``."""

    def log_file(self, log: ContainerLog) -> Path | None:
        """Return its file; ``None`` where the runtime has none."""


def pod_routes(edged: PodsShown | None, clock: Clock) -> Routes:
    """Return the routes; ``edged`` of ``None``: there is no Edged.

    | route | answer |
    | --- | --- |
    | ``GET /v1/pods?namespace=`` | ``PodsShown.pod_rows``, by namespace and name |
    | ``GET /v1/logs?pod=&container=&previous=&tail=&follow=`` | a stream of ``{"text": ...}`` |
    """

    async def show_pods(request: ControlRequest) -> list[dict[str, Any]]:
        wanted = request.query.get("namespace", "")
        rows = [row for row in _shown(edged).pod_rows() if wanted in ("", row["namespace"])]
        return sorted(rows, key=lambda row: (row["namespace"], row["name"]))

    async def show_logs(request: ControlRequest) -> AsyncIterator[dict[str, Any]]:
        query, shown = request.query, _shown(edged)
        pod, container, previous = query.get("pod", ""), query.get("container", ""), query.get("previous") == "true"
        try:
            log = shown.find_log(pod, container, previous=previous)
        except ContentError as error:
            raise ControlRefused(404, str(error)) from None
        path = shown.log_file(log)
        if path is None:
            raise ControlRefused(
                409,
                f"cannot show logs of {pod}: simulated containers print nothing;"
                " modules.edged.runtime: process runs the commands of pods",
            )
        if not path.exists():
            raise ControlRefused(
                404, f"cannot show logs of {pod}: container {log.container} has printed nothing that is kept"
            )

        def runs() -> bool:
            try:
                now = shown.find_log(pod, container, previous=False)
            except ContentError:
                return False
            return now.runs and (now.pod_uid, now.restarts) == (log.pod_uid, log.restarts)

        follows = runs if query.get("follow") == "true" and not previous else None
        return _texts(path, clock, _tail(query.get("tail", "")), follows)

    return {("GET", "/v1/pods"): show_pods, ("GET", "/v1/logs"): show_logs}


async def _texts(path: Path, clock: Clock, tail: int | None, follows: Any) -> AsyncIterator[dict[str, Any]]:
    try:
        async for text in printed(path, clock, tail=tail, follows=follows):
            yield {"text": text}
    except OSError as error:
        raise ControlRefused(500, f"cannot read {path}: {error.strerror}") from error


def _tail(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST_LINES)) or int(text) > MOST_LINES:
        raise ControlRefused(400, f"cannot show the last {text[:20]} lines: that is no number of lines")
    return int(text)


def _shown(edged: PodsShown | None) -> PodsShown:
    if edged is None:
        raise ControlRefused(409, "cannot show pods: modules.edged.enable is false in this node")
    return edged
