"""Which command stands for an image (pure): the setting ``modules.edged.processImages``.

An entry reads ``IMAGE=COMMAND ARGUMENT…``, split as by a shell that expands nothing. In its words stand for what the
container has: ``{hostPort}``, ``{containerPort}`` (of its first port; ``{hostPort.NAME}`` of the one of that name),
``{root}`` (below it are its mounts) and ``{nodeIP}``; the word ``{args}`` is all ``args`` of the container.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edgecore.kube import ContainerPort
from edgecore.modules.edged.podspec import ContainerToRun
from edgecore.modules.edged.process.facts import CONFIG_ERROR, Wrong

ARGS = "{args}"
_PLACEHOLDER = re.compile(r"\{(hostPort|containerPort|root|nodeIP)(?:\.([a-z0-9-]{1,63}))?\}")
_DIGEST = re.compile(r"@[a-z0-9+._-]+:[0-9a-fA-F]+$")


class Image(NamedTuple):
    """The command that stands for an image."""

    words: tuple[str, ...]

    @property
    def uses_host_port(self) -> bool:
        """Whether what it starts listens at the port of the host."""
        return any("{hostPort" in word for word in self.words)

    @property
    def uses_node_ip(self) -> bool:
        """Whether what it starts listens at the node's address, and maybe at no other."""
        return any("{nodeIP}" in word for word in self.words)


class Images:
    """The commands of all images. Raises ``ValueError`` with what is wrong with an entry."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._images: dict[tuple[str, str], Image] = {}
        for entry in entries:
            name, _, command = entry.partition("=")
            words = tuple(shlex.split(command))
            if not name.strip() or not words:
                raise ValueError(f"{entry[:100]!r} is not IMAGE=COMMAND")
            self._images[_name_and_tag(name.strip())] = Image(words)

    def find(self, image: str) -> Image | None:
        """Return the command of an image: of its name and tag, else of its name alone."""
        name, tag = _name_and_tag(image)
        return self._images.get((name, tag or "latest")) or self._images.get((name, ""))


def command_of(image: Image, container: ContainerToRun, places: Mapping[str, str]) -> tuple[str, ...] | Wrong:
    """Return the command with its placeholders filled; ``places`` has ``root`` and ``nodeIP``."""
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        what, name = found[1], found[2] or ""
        if what in places and not name:
            return places[what]
        port = port_named(container, name)
        number = 0 if port is None else port.host_port if what == "hostPort" else port.container_port
        if not number:
            missing.append(found[0])
        return str(number)

    words: list[str] = []
    for word in image.words:
        words.extend(container.args if word == ARGS else [_PLACEHOLDER.sub(value, word)])
    if missing:
        text = f"the command of image {container.image} needs {missing[0]}, which the container {container.name} lacks"
        return Wrong(CONFIG_ERROR, text)
    return tuple(words)


def port_named(container: ContainerToRun, name: str) -> ContainerPort | None:
    """Return a port by its name; by none, the first."""
    return next((port for port in container.ports if not name or port.name == name), None)


def _name_and_tag(image: str) -> tuple[str, str]:
    """Return name and tag; what Docker adds to names (its registry, its library) is left out."""
    name, tag = _DIGEST.sub("", image), ""
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name, tag
