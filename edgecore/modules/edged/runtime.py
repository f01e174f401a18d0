"""The seam to what runs pods: the interface of a pod runtime, and what it tells of a container."""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from edgecore.kube import Pod


class ContainerState(NamedTuple):
    """One container as its runtime sees it. Instants are RFC 3339, to the second; empty where there was none."""

    name: str
    state: Literal["waiting", "running", "terminated"]
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    """``<runtime>://<id>``; empty as long as there is no container."""
    started_at: str = ""
    finished_at: str = ""
    exit_code: int = 0
    reason: str = ""
    restarts: int = 0


Containers = tuple[ContainerState, ...]
Report = Callable[[str, Containers], None]
"""Called with the uid of a pod and the states of all its containers, in the order of its specification."""


class PodRuntime(Protocol):
    """Runs the containers of pods. ``start`` and ``kill`` return at once; what comes of them is reported.

    A report may come from within the call. Pods go by their uid, which is never used twice.
    """

    def watch(self, report: Report) -> None:
        """Tell every change to ``report``. To be called once, before anything else."""

    def start(self, pod: Pod, before: Containers) -> None:
        """Begin to run the containers of ``pod``.

        ``before`` is what an earlier process of the node last knew of them; a runtime whose containers outlive the node
        goes on with those that still run.
        """

    def kill(self, pod_uid: str) -> None:
        """Begin to end the containers of a pod; once all are terminated that is reported.

        Where none ever ran, what is reported has no container.
        """

    async def close(self) -> None:
        """Report nothing any more; what runs may run on."""
