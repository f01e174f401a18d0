"""The volumes of a pod as directories, and the mounts of a container as links to them (pure).

No process sees another root than the machine's: what is mounted at ``/etc/app`` is found at ``<root>/etc/app``, where
``<root>`` is a directory of the container (``EDGECORE_ROOT``, ``{root}``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from edgecore.beehive.resource import CONFIGMAP, SECRET
from edgecore.modules.edged.podspec import (
    ContainerToRun,
    DownwardVolume,
    HostPathVolume,
    KeyToPath,
    ObjectVolume,
    PodToRun,
    ProjectedVolume,
    Volume,
)
from edgecore.modules.edged.process.environment import missing
from edgecore.modules.edged.process.expansion import LIMIT
from edgecore.modules.edged.process.facts import CONFIG_ERROR, NodeFacts, Wrong, field_value, resource_value
from edgecore.modules.edged.process.objects import TITLES, Objects

CREATING = "ContainerCreating"
"""Why a container waits whose volumes cannot be made, as the kubelet says it."""
FILES_LIMIT, FILES_LIMIT_BYTES = 4096, 64 * 1024 * 1024
"""Of all volumes of a pod together: a ConfigMap of 1 MiB can be mounted under as many names as a pod has room for."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,252}[a-z0-9])?")
_LONGEST_PATH = 1024
_FOR_OWNER = 0o700
_FILE_MODE = 0o600


class VolumeFile(NamedTuple):
    """A file to write."""

    path: PurePosixPath
    """Below the directory of the volume."""
    content: bytes
    mode: int


class VolumePlan(NamedTuple):
    """One volume."""

    name: str
    files: tuple[VolumeFile, ...] = ()
    is_empty_dir: bool = False
    """What processes put there stays."""
    host: Path | None = None
    """The place of the machine that it is, instead of a directory of the pod."""
    host_type: str = ""


class LinkPlan(NamedTuple):
    """One mount."""

    path: PurePosixPath
    """Below the root of the container."""
    volume: str
    sub_path: PurePosixPath


class _Source(NamedTuple):
    pod: PodToRun
    objects: Objects
    node: NodeFacts


def plan_volumes(pod: PodToRun, objects: Objects, node: NodeFacts) -> tuple[VolumePlan, ...] | Wrong:
    """Return the volumes, or why there cannot be one."""
    source = _Source(pod, objects, node)
    plans: list[VolumePlan] = []
    for volume in pod.spec.volumes:
        if not _NAME.fullmatch(volume.name):
            return Wrong(CREATING, f"{volume.name[:100]!r} is no name of a volume")
        plan = _plan(source, volume)
        if isinstance(plan, Wrong):
            return plan
        plans.append(plan)
    files = [file for plan in plans for file in plan.files]
    if len(plans) + len(files) > FILES_LIMIT or sum(len(file.content) for file in files) > FILES_LIMIT_BYTES:
        limits = f"{FILES_LIMIT} files and directories, or {FILES_LIMIT_BYTES} bytes"
        return Wrong(CREATING, f"the volumes have more than {limits}, which is the limit")
    return tuple(plans)


def plan_links(container: ContainerToRun, volumes: Sequence[VolumePlan]) -> tuple[LinkPlan, ...] | Wrong:
    """Return the mounts of a container, the shorter paths first."""
    known = {volume.name for volume in volumes}
    links: list[LinkPlan] = []
    taken: set[PurePosixPath] = set()
    for mount in sorted(container.volume_mounts, key=lambda mount: mount.mount_path.rstrip("/")):
        path, sub_path = below(mount.mount_path.lstrip("/")), below(mount.sub_path)
        if mount.name not in known:
            return Wrong(CONFIG_ERROR, f"container {container.name} mounts {mount.name[:100]!r}, which is no volume")
        if path is None or sub_path is None or not path.parts:
            return Wrong(CONFIG_ERROR, f"container {container.name} mounts {mount.name} at no path below a root")
        above = next((each for each in (path, *path.parents) if each in taken), None)
        if above is not None:
            return Wrong(CONFIG_ERROR, f"cannot mount /{path} inside of the mount /{above}: it is a link here")
        taken.add(path)
        links.append(LinkPlan(path, mount.name, sub_path))
    return tuple(links)


def below(text: str) -> PurePosixPath | None:
    """Return a relative path that stays below where it starts; ``None`` for any other."""
    path = PurePosixPath(text)
    bad = path.is_absolute() or ".." in path.parts or "\0" in text or len(text) > _LONGEST_PATH
    return None if bad else path


def _plan(source: _Source, volume: Volume) -> VolumePlan | Wrong:
    files = _files(source, volume)
    if isinstance(files, Wrong):
        return files
    if files is not None:
        return VolumePlan(volume.name, files)
    if volume.host_path is not None:
        return _host(volume.name, volume.host_path)
    if volume.empty_dir is not None:
        return VolumePlan(volume.name, is_empty_dir=True)
    return Wrong(CREATING, f"volume {volume.name} is of a kind that the process runtime does not have")


def _host(name: str, host: HostPathVolume) -> VolumePlan | Wrong:
    path = Path(host.path)
    if not path.is_absolute() or ".." in path.parts or "\0" in host.path:
        return Wrong(CREATING, f"volume {name}: hostPath is no absolute path")
    return VolumePlan(name, host=path, host_type=host.type)


def _files(source: _Source, volume: Volume) -> tuple[VolumeFile, ...] | Wrong | None:
    """Return the files of a volume that has some; ``None`` for other kinds."""
    projected = volume.projected
    if projected is None:
        single: dict[str, Any] = {"configMap": volume.config_map, "secret": volume.secret}
        if not any((*single.values(), volume.downward_api)):
            return None
        parts = [_Part(volume.config_map, volume.secret, volume.downward_api, None)]
    else:
        parts = list(_parts(projected))
    files: dict[PurePosixPath, VolumeFile] = {}
    for part in parts:
        found = _of_part(source, part)
        if isinstance(found, Wrong):
            return found
        files.update((file.path, file) for file in found)
    for path in files:
        if any(parent in files for parent in path.parents):
            return Wrong(CREATING, f"volume {volume.name}: {path} lies below a file")
    return tuple(files.values())


class _Part(NamedTuple):
    config_map: ObjectVolume | None
    secret: ObjectVolume | None
    downward: DownwardVolume | None
    mode: int | None


def _parts(projected: ProjectedVolume) -> Iterator[_Part]:
    for each in projected.sources:
        secret = each.secret
        if secret is not None:  # a projection calls it ``name``
            secret = msgspec.structs.replace(secret, secret_name=secret.name)
        yield _Part(each.config_map, secret, each.downward_api, projected.default_mode)


def _of_part(source: _Source, part: _Part) -> list[VolumeFile] | Wrong:
    if part.config_map is not None:
        return _of_object(source.objects, CONFIGMAP, part.config_map.name, part.config_map, part.mode)
    if part.secret is not None:
        return _of_object(source.objects, SECRET, part.secret.secret_name, part.secret, part.mode)
    return [] if part.downward is None else _of_fields(source, part.downward, part.mode)


def _of_object(
    objects: Objects, kind: str, name: str, volume: ObjectVolume, mode: int | None
) -> list[VolumeFile] | Wrong:
    data = objects.data(kind, name)
    if data is None:
        return [] if volume.optional else Wrong(CREATING, missing(kind, name).message)
    items = volume.items or tuple(KeyToPath(key, key) for key in sorted(data))
    files = []
    for item in items:
        path = below(item.path)
        if item.key not in data:
            if volume.optional:
                continue
            text = f"{TITLES[kind]} {objects.namespace}/{name} references non-existent key: {item.key}"
            return Wrong(CREATING, text)
        if path is None or not path.parts:
            return Wrong(
                CREATING, f"{TITLES[kind]} {objects.namespace}/{name}: {item.path[:100]!r} is no relative path"
            )
        files.append(VolumeFile(path, data[item.key], _mode(item.mode, volume.default_mode, mode)))
    return files


def _of_fields(source: _Source, volume: DownwardVolume, mode: int | None) -> list[VolumeFile] | Wrong:
    files, room = [], LIMIT
    for item in volume.items:
        path = below(item.path)
        if path is None or not path.parts:
            return Wrong(CREATING, f"downwardAPI: {item.path[:100]!r} is no relative path")
        if item.field_ref is not None:
            value = field_value(source.pod, item.field_ref, source.node)
        elif item.resource_field_ref is not None:
            value = resource_value(source.pod, "", item.resource_field_ref, source.node)
        else:
            value = ""
        if isinstance(value, Wrong):
            return value
        room -= len(value)
        if room < 0:
            return Wrong(CREATING, f"downwardAPI: the files have more than {LIMIT} characters, which is the limit")
        files.append(VolumeFile(path, value.encode(), _mode(item.mode, volume.default_mode, mode)))
    return files


def _mode(*modes: int | None) -> int:
    """Return what the owner may do, as the first mode says that is given; nobody else may anything."""
    wanted = next((mode for mode in modes if mode is not None), _FILE_MODE)
    return wanted & _FOR_OWNER | 0o400


def variables(volumes: Mapping[str, Path]) -> dict[str, str]:
    """Return the variables that tell a process where its volumes are."""
    return {f"EDGECORE_VOLUME_{re.sub('[^A-Z0-9]', '_', name.upper())}": str(path) for name, path in volumes.items()}
