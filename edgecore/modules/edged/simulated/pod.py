"""One simulated pod: its containers, and whose turn it is (pure).

Init containers come one after the other, each once the one before has succeeded; then all others at the same time.
"""

from edgecore.kube import Container, Pod
from edgecore.modules.edged.runtime import Containers, ContainerState, Order
from edgecore.modules.edged.simulated.container import Now, SimulatedContainer
from edgecore.modules.edged.simulated.script import annotations_of


class SimulatedPod:
    """See above."""

    def __init__(self, order: Order, delay_s: float, now: Now) -> None:
        pod, scripts = order.pod, annotations_of(order.data)
        self._all = [SimulatedContainer(pod, spec, scripts, delay_s, is_init=init) for spec, init in _specs(pod)]
        self._stopping = False
        known = {(each.name, each.is_init): each for each in order.before}
        for container in self._all:
            was = known.get((container.state.name, container.state.is_init))
            if was is not None and was.image == container.state.image and _was_made(was):
                container.resume(was, now)

    @property
    def containers(self) -> Containers:
        """What is told of them."""
        return tuple(each.state for each in self._all)

    @property
    def next_at(self) -> float:
        """When ``advance`` changes something."""
        return min(each.next_at for each in self._all)

    @property
    def over(self) -> bool:
        """Whether nothing of it runs, nor will."""
        if any(each.state.is_init and each.state.over and each.state.exit_code for each in self._all):
            return not any(each.state.state == "running" for each in self._all)
        return all(each.state.over for each in self._all)

    @property
    def ever_ran(self) -> bool:
        """Whether any container was made."""
        return any(_was_made(each.state) for each in self._all)

    def take(self, order: Order) -> None:
        """Follow a newer object, from the next start of each container on."""
        specs = {(spec.name, is_init): spec for spec, is_init in _specs(order.pod)}
        scripts = annotations_of(order.data)
        for each in self._all:
            spec = specs.get((each.state.name, each.state.is_init))
            if spec is not None:
                each.take(order.pod, spec, scripts)

    def advance(self, now: Now) -> None:
        """Do what is due, and what follows from it at once."""
        if not self._stopping:
            self._begin_those_whose_turn_it_is(now)
        while self.next_at <= now.monotonic:
            for each in self._all:
                if each.next_at <= now.monotonic:
                    each.advance(now)
            if not self._stopping:
                self._begin_those_whose_turn_it_is(now)

    def stop(self, now: Now, grace_s: int | None = None) -> None:
        """Begin to end all containers, within ``grace_s``; ``None``: as the pod says."""
        self._stopping = True
        for each in self._all:
            each.stop(now, grace_s)
        self.advance(now)

    def _begin_those_whose_turn_it_is(self, now: Now) -> None:
        for each in self._all:
            if not each.begun:
                each.begin(now)
            if each.state.is_init and not (each.state.over and each.state.exit_code == 0):
                return


def _specs(pod: Pod) -> list[tuple[Container, bool]]:
    return [*((spec, True) for spec in pod.spec.init_containers), *((spec, False) for spec in pod.spec.containers)]


def _was_made(state: ContainerState) -> bool:
    return bool(state.container_id or state.last is not None)
