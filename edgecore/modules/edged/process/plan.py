"""From a pod to what is to be run for it (pure): the files of its volumes, and the processes of its containers."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgecore.modules.edged.podspec import ContainerToRun, PodToRun
from edgecore.modules.edged.process.environment import environment
from edgecore.modules.edged.process.expansion import LIMIT, expand_all
from edgecore.modules.edged.process.facts import CONFIG_ERROR, NodeFacts, Wrong
from edgecore.modules.edged.process.images import Images, command_of
from edgecore.modules.edged.process.objects import Objects
from edgecore.modules.edged.process.probes import LOOPBACK
from edgecore.modules.edged.process.volumes import LinkPlan, VolumePlan, plan_links, plan_volumes, variables

IMAGE_ERROR = "ErrImagePull"
_TOO_LONG = Wrong(CONFIG_ERROR, f"the command has more than {LIMIT} characters, which is the limit")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class Places(NamedTuple):
    """Where the files of one pod are."""

    pod: Path

    def volume(self, plan: VolumePlan) -> Path:
        """Return the directory of a volume, or the place of the machine that it is."""
        return self.pod / "volumes" / plan.name if plan.host is None else plan.host

    def root(self, container: str) -> Path:
        """Return the directory below which a container has its mounts."""
        return self.pod / "containers" / container / "root"

    def work(self, container: str) -> Path:
        """Return the directory that a container starts in, where it names none."""
        return self.pod / "containers" / container / "work"

    def log(self, container: str, restarts: int) -> Path:
        """Return the file of what a container prints, the one that was started after so many restarts."""
        return self.pod / "logs" / safe_name(container) / f"{restarts}.log"


class ProcessPlan(NamedTuple):
    """The process of one container."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    directory: str
    links: tuple[LinkPlan, ...]
    listens_at_host_port: bool
    """Whether its command was made for the port of the host, where the pod says another for the container."""
    address: str = LOOPBACK
    """Where it is asked how it is, if a probe names no host."""


class PodPlan(NamedTuple):
    """All of one pod. What cannot be run is in the place of its process."""

    volumes: tuple[VolumePlan, ...]
    init: Mapping[str, ProcessPlan | Wrong]
    containers: Mapping[str, ProcessPlan | Wrong]


class Ground(NamedTuple):
    """What the plan of a pod is made with, besides the pod."""

    node: NodeFacts
    objects: Objects
    images: Images
    inherited: Mapping[str, str]
    """The few variables of the node that its processes have too."""
    places: Places
    is_root: bool = False
    """Whether the node, and so every process, is root."""


def safe_name(uid: str) -> str:
    """Return a name for a directory; a uid is a peer's text."""
    return uid if _SAFE.fullmatch(uid) else hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()


def plan_pod(pod: PodToRun, ground: Ground) -> PodPlan | Wrong:
    """Return what is to be run, or why nothing can be."""
    volumes = plan_volumes(pod, ground.objects, ground.node)
    if isinstance(volumes, Wrong):
        return volumes
    names = [container.name for container in pod.spec.init_containers + pod.spec.containers]
    if len(set(names)) < len(names) or not all(_SAFE.fullmatch(name) for name in names):
        return Wrong(CONFIG_ERROR, "two containers have one name, or one has a name that Kubernetes does not allow")

    def plan(container: ContainerToRun) -> ProcessPlan | Wrong:
        return _plan(pod, container, volumes, ground)

    return PodPlan(
        volumes,
        {container.name: plan(container) for container in pod.spec.init_containers},
        {container.name: plan(container) for container in pod.spec.containers},
    )


def _plan(
    pod: PodToRun, container: ContainerToRun, volumes: tuple[VolumePlan, ...], ground: Ground
) -> ProcessPlan | Wrong:
    links = plan_links(container, volumes)
    if isinstance(links, Wrong):
        return links
    if ground.is_root and _is_to_be_nobody(pod, container):
        return Wrong(CONFIG_ERROR, "container has runAsNonRoot and would run as root, as the node does")
    root = ground.places.root(container.name)
    given = _given(pod, container, volumes, ground)
    found = environment(pod, container, ground.objects, ground.node, given)
    if isinstance(found, Wrong):
        return found
    command: tuple[str, ...] | Wrong
    image = None if container.command else ground.images.find(container.image)
    if container.command:
        command = expand_all(container.command + container.args, found) or _TOO_LONG
    elif image is not None:
        args = expand_all(container.args, found)
        named = None if args is None else msgspec.structs.replace(container, args=args)
        places = {"root": str(root), "nodeIP": ground.node.ip}
        command = _TOO_LONG if named is None else command_of(image, named, places)
    else:
        command = _no_command(container)
    if isinstance(command, Wrong):
        return command
    if not command or not command[0] or any("\0" in word for word in command):
        return Wrong(CONFIG_ERROR, f"no process can be started by the command of container {container.name}")
    return ProcessPlan(
        container.name,
        command,
        found,
        _directory(container, links, ground.places),
        links,
        image is not None and image.uses_host_port,
        ground.node.ip if image is not None and image.uses_node_ip else LOOPBACK,
    )


def _is_to_be_nobody(pod: PodToRun, container: ContainerToRun) -> bool:
    own = container.security_context.run_as_non_root
    return bool(pod.spec.security_context.run_as_non_root if own is None else own)


def _no_command(container: ContainerToRun) -> Wrong:
    return Wrong(
        IMAGE_ERROR,
        f'cannot run image "{container.image[:300]}": the process runtime pulls no images,'
        f" and container {container.name} has no command; give it one,"
        " or name one for the image in modules.edged.processImages",
    )


def _given(pod: PodToRun, container: ContainerToRun, volumes: tuple[VolumePlan, ...], ground: Ground) -> dict[str, str]:
    places = ground.places
    given = {
        "PATH": DEFAULT_PATH,
        **ground.inherited,
        "HOSTNAME": pod.spec.hostname or pod.metadata.name,
        "EDGECORE_POD": f"{pod.metadata.namespace}/{pod.metadata.name}",
        "EDGECORE_CONTAINER": container.name,
        "EDGECORE_ROOT": str(places.root(container.name)),
        **variables({plan.name: places.volume(plan) for plan in volumes}),
    }
    if container.ports:
        given["EDGECORE_CONTAINER_PORT"] = str(container.ports[0].container_port)
        given["EDGECORE_HOST_PORT"] = str(container.ports[0].host_port)
    return given


def _directory(container: ContainerToRun, links: tuple[LinkPlan, ...], places: Places) -> str:
    """Return where a process starts: ``workingDir`` of the machine, unless it is below a mount."""
    wanted = Path(container.working_dir)
    if not container.working_dir:
        return str(places.work(container.name))
    if "\0" in container.working_dir or not wanted.is_absolute():
        return str(places.work(container.name))
    for link in links:
        mounted = Path("/", *link.path.parts)
        if wanted.is_relative_to(mounted):
            return str(places.root(container.name).joinpath(*wanted.parts[1:]))
    return container.working_dir
