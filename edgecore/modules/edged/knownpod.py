"""What the node knows of one pod, and what follows from that (pure)."""

from dataclasses import dataclass

from edgecore.kube import Container, Pod
from edgecore.modules.edged import podstatus
from edgecore.modules.edged.podinput import PodKey
from edgecore.modules.edged.podstatus import Json, Observed, Refusal
from edgecore.modules.edged.references import Lacking, References
from edgecore.modules.edged.runtime import Containers, ContainerState, Order

_BEFORE_THE_SANDBOX = frozenset({"ContainerCreating", "PodInitializing"})
"""Why containers wait before their pod has an address, if all of them do."""


@dataclass(slots=True)
class KnownPod:
    """One pod. ``before`` is what an earlier process of the node knew of its containers."""

    key: PodKey
    pod: Pod
    data: bytes
    """The whole object, for the runtime."""
    started_at: str
    references: References
    before: Containers = ()
    containers: Containers = ()
    address: str = ""
    refusal: Refusal | None = None
    asked: bool = False
    """It waits for what it uses, or did."""
    given: bool = False
    """To the runtime."""
    killed: bool = False
    final: bool = False
    """It was over before a restart: the stored status is the last word."""
    stored: Json | None = None
    """The last status that MetaManager has."""

    @property
    def uid(self) -> str:
        """The uid of the object."""
        return self.pod.metadata.uid

    @property
    def over(self) -> bool:
        """Whether nothing of it runs, nor will."""
        if self.final or self.refusal is not None:
            return True
        if not self.given:
            return self.pod.terminating and not self.ran_before
        if not self.containers:
            return self.killed
        return podstatus.phase_of(self.containers) in (podstatus.SUCCEEDED, podstatus.FAILED)

    @property
    def ran_before(self) -> bool:
        """Whether it ran when an earlier process ended."""
        return any(each.state == "running" or each.last is not None for each in self.before)

    @property
    def phase(self) -> str:
        """The phase that its status has or would have."""
        if self.final and self.stored is not None:
            return str(self.stored["Status"]["phase"])
        return podstatus.FAILED if self.refusal is not None else podstatus.phase_of(self.containers)

    @property
    def reason(self) -> str:
        """Why it is not running; empty if it is, or nothing stands in its way."""
        if self.refusal is not None:
            return self.refusal.reason
        waiting = [each.reason for each in self.containers if each.state == "waiting"]
        return waiting[0] if waiting else ""

    def wait(self, lacking: Lacking) -> None:
        """Take that it waits for what it uses; its containers show that, and how those before them ended."""
        reason = "CreateContainerConfigError" if lacking.missing else "ContainerCreating"
        before = {(each.name, each.is_init): each for each in self.before}
        waiting = ContainerState("", "waiting", reason=reason, message=lacking.message)

        def shown(container: Container, *, is_init: bool) -> ContainerState:
            state = waiting._replace(name=container.name, image=container.image, is_init=is_init)
            was = before.get((container.name, is_init), state)
            if was.state == "waiting":
                return state._replace(restarts=was.restarts, last=was.last)
            if is_init and was.ready:
                return was
            ended = was.lost() if was.state == "running" else was
            return state._replace(restarts=was.restarts, last=ended.ended)

        spec = self.pod.spec
        self.containers = (
            *(shown(each, is_init=True) for each in spec.init_containers),
            *(shown(each, is_init=False) for each in spec.containers),
        )

    def order(self, node: str, host_ip: str) -> Order:
        """Return what the runtime is told."""
        pod_ip = host_ip if self.pod.spec.host_network else self.address
        return Order(self.pod, self.data, self.before, node_name=node, host_ip=host_ip, pod_ip=pod_ip)

    def pod_ip(self, host_ip: str) -> str:
        """Return its address; empty until its containers were made."""
        if self.final and self.stored is not None:
            return str(self.stored["Status"].get("podIP") or "")
        if all(each.state == "waiting" and each.reason in _BEFORE_THE_SANDBOX for each in self.containers):
            return ""
        return host_ip if self.pod.spec.host_network else self.address

    def request(self, host_ip: str) -> Json | None:
        """Return the PodStatusRequest that says how it is; ``None`` while there is nothing to say."""
        if self.final:
            return self.stored
        if not self.containers and self.refusal is None:
            return None
        pod_ip = self.pod_ip(host_ip)
        return podstatus.request(Observed(self.pod, self.containers, host_ip, pod_ip, self.started_at, self.refusal))
