"""The seam to what runs pods: the interface of a pod runtime, and what it tells of a container."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from edgecore.beehive.resource import EdgeResource
from edgecore.kube import Pod


class Ended(NamedTuple):
    """How a container ended. Instants are RFC 3339, to the second; empty where there was none."""

    exit_code: int = 0
    reason: str = ""
    """``Completed``, ``Error``, ``OOMKilled``, ``ContainerCannotRun``."""
    message: str = ""
    signal: int = 0
    """The signal that ended it; 0 if it ended by itself."""
    started_at: str = ""
    finished_at: str = ""
    container_id: str = ""


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
    """Waiting: ``ContainerCreating``, ``PodInitializing``, ``CrashLoopBackOff``, ``ErrImagePull``,
    ``ImagePullBackOff``, ``CreateContainerConfigError``. Terminated: see ``Ended``."""
    restarts: int = 0
    message: str = ""
    """For people: why it waits, or how it ended."""
    signal: int = 0
    is_init: bool = False
    """An init container: its states come before those of the others."""
    passes: bool = True
    """What the readiness probe last found; true where there is none. Before its first success a probe finds failure.
    Only of a container that runs."""
    passes_since: str = ""
    """When the readiness probe came to find that, if that was after the start."""
    started: bool = True
    """Whether the startup probe has found success; true where there is none. Only of a container that runs."""
    last: Ended | None = None
    """How the container before this one ended."""
    restarting: bool = False
    """Terminated, and to be started again: the pod is not over."""

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self.state == "terminated" and not self.restarting

    @property
    def ready(self) -> bool:
        """Whether it is ready, as the kubelet has it: an init container once it is done."""
        if self.is_init:
            return self.state == "terminated" and self.exit_code == 0
        return self.state == "running" and self.passes and self.started

    def cut_off(self) -> "ContainerState":
        """Return what becomes of a container that waits when its pod is told to go: how the one before it ended."""
        was = self.last or Ended(
            137, "ContainerStatusUnknown", "the pod was told to go before the container was started"
        )
        return self._replace(
            state="terminated",
            exit_code=was.exit_code,
            reason=was.reason,
            message=was.message,
            signal=was.signal,
            started_at=was.started_at,
            finished_at=was.finished_at,
            container_id=was.container_id,
            last=None,
            restarting=False,
        )

    def lost(self, at: str = "") -> "ContainerState":
        """Return what becomes of a container that ran when its node ended, and it with the node."""
        return self._replace(
            state="terminated",
            finished_at=at,
            exit_code=137,
            reason="Error",
            message="the node was stopped, and the process with it",
            restarting=True,
        )

    @property
    def ended(self) -> Ended:
        """How it ended, if it is terminated: what is ``last`` of the container that follows it."""
        return Ended(
            self.exit_code,
            self.reason,
            self.message,
            self.signal,
            self.started_at,
            self.finished_at,
            self.container_id,
        )


Containers = tuple[ContainerState, ...]
Report = Callable[[str, Containers], None]
"""Called with the uid of a pod and the states of all its containers, those of init containers first, in the
order of its specification."""
Values = Mapping[str, bytes]
"""What a ConfigMap or a Secret holds, by key: decoded, ``data`` and ``binaryData`` in one."""


class Order(NamedTuple):
    """A pod that is to be run."""

    pod: Pod
    data: bytes = b""
    """The whole object as the cloud sent it: JSON."""
    before: Containers = ()
    """What an earlier process of the node last knew of its containers."""
    objects: Mapping[EdgeResource, Values] = {}
    """The ConfigMaps and Secrets that the pod uses; only for a runtime that ``reads_objects``. An optional one that is
    not there is not in it."""
    node_name: str = ""
    host_ip: str = ""
    pod_ip: str = ""


class PodRuntime(Protocol):
    """Runs the containers of pods. ``start`` and ``kill`` return at once; what comes of them is reported.

    A report may come from within the call. Pods go by their uid, which is never used twice.
    """

    reads_objects: bool
    """Whether a pod waits until the ConfigMaps and Secrets that it uses are there, and gets what they hold."""

    on_host_network: bool
    """Whether what it runs is found at the node's address, as are the pods of the host's network."""

    def watch(self, report: Report) -> None:
        """Tell every change to ``report``. To be called once, before anything else."""

    def start(self, order: Order) -> None:
        """Begin to run the containers of a pod, and go on with it until ``kill``: its restart policy is done here.

        A runtime whose containers outlive the node goes on with those of ``order.before`` that still run.
        """

    def update(self, order: Order) -> None:
        """Take a newer order for a pod that was started: its object has changed, or what it uses.

        What runs runs on, but for a container whose image has changed: it is started again at once, whatever the
        policy. Others follow the new one when they are started again. A pod that is not run any more is passed over.
        """

    def kill(self, pod_uid: str, grace_s: int | None = None) -> None:
        """Begin to end the containers of a pod; once all are terminated, none ``restarting``, that is reported.

        Where none ever ran, what is reported has no container. That a container is ended within ``grace_s`` is the
        runtime's; ``None``: within ``terminationGracePeriodSeconds`` of the pod. Nothing of the pod is kept after that.
        """

    def keep_only(self, pod_uids: Collection[str]) -> None:
        """Let go of what an earlier process of the node kept for other pods than these. Called once."""

    def log_file(self, pod_uid: str, container: str, restarts: int) -> Path | None:
        """Return the file of what a container printed after so many restarts; ``None`` where nothing is kept."""

    async def close(self) -> None:
        """Report nothing any more; what runs may run on."""
