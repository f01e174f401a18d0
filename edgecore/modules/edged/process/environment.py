"""The variables of a container (pure; kubernetes pkg/kubelet/kubelet_pods.go makeEnvironmentVariables)."""

import re
from collections.abc import Mapping

from edgecore.beehive.resource import CONFIGMAP, SECRET
from edgecore.modules.edged.podspec import ContainerToRun, KeyRef, PodToRun, ValueSource, VariablesSource
from edgecore.modules.edged.process.expansion import LIMIT, expand
from edgecore.modules.edged.process.facts import CONFIG_ERROR, NodeFacts, Wrong, field_value, resource_value
from edgecore.modules.edged.process.objects import TITLES, WORDS, Objects

_TOO_LONG = Wrong(CONFIG_ERROR, f"the variables have more than {LIMIT} characters together, which is the limit")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def environment(
    pod: PodToRun, container: ContainerToRun, objects: Objects, node: NodeFacts, given: Mapping[str, str]
) -> dict[str, str] | Wrong:
    """Return the variables: ``given``, then those of ``envFrom``, then those of ``env``; the later one holds."""
    found = _Variables(given)
    for source in container.env_from:
        wrong = _add_all(found, source, objects)
        if wrong is not None:
            return wrong
    for variable in container.env:
        if variable.value_from is None:
            value: str | Wrong | None = expand(variable.value, found.values, found.room)
            if value is None:
                return _TOO_LONG
        else:
            value = _value_of(pod, container, variable.value_from, objects, node)
        if isinstance(value, Wrong):
            return value
        if value is not None:
            found.put(variable.name, value)
        if found.room < 0:
            return _TOO_LONG
    return _impossible(found.values) or found.values


class _Variables:
    """Variables, and how many characters there is room for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.values = dict(given)
        self.room = LIMIT - sum(len(name) + len(value) + 2 for name, value in given.items())

    def put(self, name: str, value: str) -> None:
        before = self.values.get(name)
        self.room -= len(value) - len(before) if before is not None else len(name) + len(value) + 2
        self.values[name] = value


def missing(kind: str, name: str) -> Wrong:
    """Return what is said where an object is not there."""
    return Wrong(CONFIG_ERROR, f'{WORDS[kind]} "{name}" not found')


def _add_all(found: _Variables, source: VariablesSource, objects: Objects) -> Wrong | None:
    for kind, ref in ((CONFIGMAP, source.config_map_ref), (SECRET, source.secret_ref)):
        if ref is None:
            continue
        data = objects.data(kind, ref.name)
        if data is None:
            if not ref.optional:
                return missing(kind, ref.name)
            continue
        for key, value in sorted(data.items()):
            if _NAME.fullmatch(source.prefix + key):  # as the kubelet, which leaves out the others
                found.put(source.prefix + key, value.decode("utf-8", "surrogateescape"))
                if found.room < 0:
                    return _TOO_LONG
    return None


def _value_of(
    pod: PodToRun, container: ContainerToRun, source: ValueSource, objects: Objects, node: NodeFacts
) -> str | Wrong | None:
    """Return a value; ``None`` where an optional one is not there."""
    if source.field_ref is not None:
        return field_value(pod, source.field_ref, node)
    if source.resource_field_ref is not None:
        return resource_value(pod, container.name, source.resource_field_ref, node)
    if source.config_map_key_ref is not None:
        return _of_key(CONFIGMAP, source.config_map_key_ref, objects)
    if source.secret_key_ref is not None:
        return _of_key(SECRET, source.secret_key_ref, objects)
    return ""


def _of_key(kind: str, ref: KeyRef, objects: Objects) -> str | Wrong | None:
    data = objects.data(kind, ref.name)
    if data is not None and ref.key in data:
        return data[ref.key].decode("utf-8", "surrogateescape")
    if ref.optional:
        return None
    if data is None:
        return missing(kind, ref.name)
    return Wrong(CONFIG_ERROR, f"couldn't find key {ref.key} in {TITLES[kind]} {objects.namespace}/{ref.name}")


def _impossible(variables: Mapping[str, str]) -> Wrong | None:
    """Return why no process can have these variables; their values are not named."""
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            return Wrong(CONFIG_ERROR, f"no process can have the variable {name[:100]!r}: a zero byte, or no name")
        try:
            (name + value).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return Wrong(CONFIG_ERROR, f"no process can have the variable {name[:100]!r}: it is no text")
    return None
