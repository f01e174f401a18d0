"""The directories of pods on disk: made from a plan, and removed; everything is for the owner alone.

Blocking: called in a thread. Every function raises ``OSError``.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from edgecore.modules.edged.process.plan import Places, PodPlan, ProcessPlan
from edgecore.modules.edged.process.volumes import VolumePlan
from edgecore.privatefiles import make_directory

_FILE_TYPES = frozenset({"File", "FileOrCreate"})
_EXPECTED = {
    "Directory": Path.is_dir,
    "File": Path.is_file,
    "Socket": Path.is_socket,
    "CharDevice": Path.is_char_device,
    "BlockDevice": Path.is_block_device,
}


def make_pod(plan: PodPlan, places: Places) -> None:
    """Make volumes and mounts. What an emptyDir holds from before a restart of the node stays."""
    make_directory(places.pod)
    for volume in plan.volumes:
        if volume.host is not None:
            _host(volume)
        else:
            _volume(volume, places.volume(volume))
    known = {volume.name: volume for volume in plan.volumes}
    for process in (*plan.init.values(), *plan.containers.values()):
        if isinstance(process, ProcessPlan):
            _container(process, known, places)


def ready_log(places: Places, container: str, restarts: int) -> Path:
    """Make the directory of a container's logs, leave in it those of the run before, and return the file to write."""
    path = places.log(container, restarts)
    make_directory(path.parent)
    kept = {path.name, places.log(container, restarts - 1).name}
    for entry in path.parent.iterdir():
        if entry.name.removesuffix(".1") not in kept:
            entry.unlink()
    return path


def remove_pod(places: Places) -> int:
    """Remove all that was made for a pod; return 1, or 0 if there was nothing. What is linked to is left alone."""
    if not places.pod.is_dir():
        return 0
    shutil.rmtree(places.pod)
    return 1


def remove_others(root: Path, is_kept: Callable[[str], bool]) -> int:
    """Remove the directories of pods that are not there any more; return how many there were."""
    removed = 0
    for entry in [*root.iterdir()] if root.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink() and not is_kept(entry.name):
            shutil.rmtree(entry)
            removed += 1
    return removed


def _volume(plan: VolumePlan, directory: Path) -> None:
    """Make a volume, or bring its files up to date, each at once: a process may read them."""
    make_directory(directory)
    wanted = {directory.joinpath(*file.path.parts): file for file in plan.files}
    if not plan.is_empty_dir:
        for entry in [each for each in directory.rglob("*") if not each.is_dir() or each.is_symlink()]:
            if entry not in wanted:
                entry.unlink()
    for path, file in wanted.items():
        make_directory(path.parent)
        partial = _beside(path)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, file.mode)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(file.content)
        partial.replace(path)


def _beside(path: Path) -> Path:
    """Return a name that is free, to make what is then put in the place of ``path`` at once."""
    partial = path.parent / f".{path.name[:50]}.partial"
    with suppress(FileNotFoundError):
        partial.unlink()
    return partial


def _host(plan: VolumePlan) -> None:
    """Look whether a place of the machine is as the pod expects it, as the kubelet does."""
    assert plan.host is not None  # noqa: S101 - the caller has looked
    if plan.host_type == "DirectoryOrCreate":
        plan.host.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif plan.host_type == "FileOrCreate":
        plan.host.touch(mode=0o644, exist_ok=True)
    elif plan.host_type in _EXPECTED and not _EXPECTED[plan.host_type](plan.host):
        raise FileNotFoundError(2, f"hostPath type check failed: it is no {plan.host_type}", str(plan.host))


def _container(process: ProcessPlan, volumes: Mapping[str, VolumePlan], places: Places) -> None:
    root = places.root(process.name)
    make_directory(root)
    make_directory(places.work(process.name))
    for link in process.links:
        volume = volumes[link.volume]
        target = places.volume(volume).joinpath(*link.sub_path.parts)
        if link.sub_path.parts and volume.host is None and not target.exists():
            make_directory(target)
        path = root.joinpath(*link.path.parts)
        make_directory(path.parent)
        if not (path.is_symlink() and path.readlink() == target):
            partial = _beside(path)
            partial.symlink_to(target)
            partial.replace(path)
