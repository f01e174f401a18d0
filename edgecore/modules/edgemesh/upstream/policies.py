"""From a service to the policy of one of its ports: the node's defaults, session affinity, annotations (pure).

An annotation ``edgemesh.kubeedge.io/NAME`` counts for all ports; with ``.PORT`` behind it, the port's name or number,
for that port alone, where it wins over the one for all.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice

import msgspec

from edgecore.kube import Service, ServicePort
from edgecore.modules.edgemesh.upstream.annotations import ANNOTATIONS, PREFIX, Annotation, Fields
from edgecore.modules.edgemesh.upstream.policy import Policy

MAX_PROBLEMS = 16
"""So many texts at most are returned for one port."""
_AFFINITY_MAX_S = 86_400  # Kubernetes pkg/apis/core/validation: maxClientIPServiceAffinitySeconds
_LONGEST_SHOWN = 60
_BY_NAME = {annotation.name: annotation for annotation in ANNOTATIONS}


def policy_of(defaults: Policy, service: Service, port: ServicePort) -> tuple[Policy, tuple[str, ...]]:
    """Return how ``port`` of ``service`` is treated, and what of the service could not be used, for people.

    What cannot be used leaves things as they were without it. What is wrong for the whole service is told for each of
    its ports, in the same words.
    """
    if not service.metadata.annotations and service.spec.session_affinity in ("", "None"):
        return defaults, ()
    problems: list[str] = []
    policy = _with_affinity(defaults, service, problems)
    fields: dict[str, object] = {}
    for name, text in _said(service, port):
        fields |= _read(_BY_NAME[name.partition(".")[0]], name, text, problems)
    problems += islice(_strangers(service), MAX_PROBLEMS)
    policy = msgspec.structs.replace(policy, **fields)
    if policy.eject_max_s < policy.eject_base_s:
        policy = msgspec.structs.replace(policy, eject_max_s=policy.eject_base_s)
    return policy, tuple(problems[:MAX_PROBLEMS])


def sources_of(service: Service, port: ServicePort) -> dict[str, str]:
    """Return which fields of the policy of ``port`` are the service's own: to the annotation, or field, that says so.

    All others are the node's defaults.
    """
    found: dict[str, str] = {}
    if service.spec.session_affinity == "ClientIP":
        found |= dict.fromkeys(("strategy", "hash_by", "hash_name"), "spec.sessionAffinity")
        if service.spec.session_affinity_config.client_ip.timeout_seconds is not None:
            found["affinity_timeout_s"] = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
    for name, text in _said(service, port):
        found |= dict.fromkeys(_read(_BY_NAME[name.partition(".")[0]], name, text, []), PREFIX + name)
    return found


def _said(service: Service, port: ServicePort) -> Iterator[tuple[str, str]]:
    """Yield name and text of each annotation that counts for ``port``, the one that wins the last.

    What is said of a port comes behind what is said of all, its name behind its number.
    """
    for place in dict.fromkeys(("", str(port.port), port.name)):
        for name, text in _ours(service):
            base, _, suffix = name.partition(".")
            if suffix == place and base in _BY_NAME:
                yield name, text


def _with_affinity(defaults: Policy, service: Service, problems: list[str]) -> Policy:
    kind = service.spec.session_affinity
    if kind in ("", "None"):
        return defaults
    if kind != "ClientIP":
        problems.append(f"cannot use sessionAffinity {_shown(kind)}: it can be None or ClientIP")
        return defaults
    timeout_s = defaults.affinity_timeout_s
    given = service.spec.session_affinity_config.client_ip.timeout_seconds
    if given is not None and 0 < given <= _AFFINITY_MAX_S:
        timeout_s = float(given)
    elif given is not None:
        field = "sessionAffinityConfig.clientIP.timeoutSeconds"
        problems.append(f"cannot use {field}: it can be from 1 to {_AFFINITY_MAX_S}")
    return msgspec.structs.replace(
        defaults, strategy="SessionStickiness", hash_by="source", hash_name="", affinity_timeout_s=timeout_s
    )


def _ours(service: Service) -> Iterator[tuple[str, str]]:
    for key, text in service.metadata.annotations.items():
        if key.startswith(PREFIX):
            yield key.removeprefix(PREFIX), text.strip()


def _read(annotation: Annotation, name: str, text: str, problems: list[str]) -> Fields:
    try:
        return annotation.read(text)
    except ValueError as error:
        problems.append(f"cannot use annotation {PREFIX}{name} {_shown(text)}: {error}")
        return {}


def _strangers(service: Service) -> Iterator[str]:
    """Yield a text for each annotation with our prefix that means nothing: a word or a port that is not there."""
    ports = {str(port.port) for port in service.spec.ports} | {port.name for port in service.spec.ports if port.name}
    for name, _ in _ours(service):
        base, dot, place = name.partition(".")
        if base not in _BY_NAME:
            close = get_close_matches(base[:_LONGEST_SHOWN].lower(), _BY_NAME, 1)
            advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(_BY_NAME)}"
            yield f"cannot use annotation {PREFIX}{name[:_LONGEST_SHOWN]}: there is none of that name; {advice}"
        elif dot and place not in ports:
            has = f"its ports are {', '.join(sorted(ports)[:10])}" if ports else "it has none"
            yield f"cannot use annotation {PREFIX}{name[:_LONGEST_SHOWN]}: the service has no such port; {has}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
