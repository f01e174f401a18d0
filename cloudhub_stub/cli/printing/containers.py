"""Descriptions of containers and volumes, in pods and in templates of pods."""

from typing import Any

from cloudhub_stub.cli.printing.fields import NONE, UNSET
from cloudhub_stub.cli.printing.podstate import ended
from cloudhub_stub.cli.printing.sections import Fields, Rows, listed, shortened
from edgecore.control.ages import date


def container_rows(title: str, spec: Fields, field: str, statuses: Any, indent: str = "") -> Rows:
    """Return the containers of ``spec[field]``; ``statuses`` is ``None`` for a template."""
    containers = spec.get(field) or ()
    if not containers:
        return []
    by_name = {status.get("name"): status for status in statuses or ()}
    rows: Rows = [(f"{indent}{title}:",)]
    for container in containers:
        rows.append((f"{indent}  {container.get('name')}:",))
        status = by_name.get(container.get("name")) or {}
        rows += _container_rows(container, status, f"{indent}    ", is_template=statuses is None)
    return rows


def volume_rows(spec: Fields, indent: str = "") -> Rows:
    """Return the volumes of a pod."""
    volumes = spec.get("volumes") or ()
    if not volumes:
        return [(f"{indent}Volumes:", NONE)]
    rows: Rows = [(f"{indent}Volumes:",)]
    for volume in volumes:
        rows.append((f"{indent}  {volume.get('name')}:",))
        rows += [(f"{indent}    {row[0]}", *row[1:]) for row in _volume_rows(volume)]
    return rows


def _container_rows(container: Fields, status: Fields, indent: str, *, is_template: bool) -> Rows:
    rows: Rows = [] if is_template else [("Container ID:", str(status.get("containerID") or ""))]
    rows.append(("Image:", str(container.get("image") or "")))
    if not is_template:
        rows.append(("Image ID:", str(status.get("imageID") or "")))
    ports = container.get("ports") or ()
    plural = "s" if len(ports) > 1 else ""
    rows.append((f"Port{plural}:", _ports(ports, "containerPort")))
    rows.append((f"Host Port{plural}:", _ports(ports, "hostPort")))
    for title, field in (("Command", "command"), ("Args", "args")):
        if container.get(field):
            rows += [(f"{title}:",), *((f"  {shortened(str(word))}",) for word in container[field])]
    if not is_template:
        rows += _state_rows("State", status.get("state"))
        if status.get("lastState"):
            rows += _state_rows("Last State", status["lastState"])
        rows.append(("Ready:", "True" if status.get("ready") else "False"))
        rows.append(("Restart Count:", str(status.get("restartCount") or 0)))
    for title, field in (("Limits", "limits"), ("Requests", "requests")):
        quantities = (container.get("resources") or {}).get(field) or {}
        if quantities:
            rows += [(f"{title}:",), *((f"  {name}:", str(quantities[name])) for name in sorted(quantities))]
    rows += _environment_rows(container)
    mounts = [_mount(mount) for mount in container.get("volumeMounts") or ()]
    rows += [("Mounts:",), *((f"  {mount}",) for mount in sorted(mounts))] if mounts else [("Mounts:", NONE)]
    return [(f"{indent}{row[0]}", *row[1:]) for row in rows]


def _state_rows(title: str, state: Fields | None) -> Rows:
    """Return one of the two states of a container; without any it is one that waits."""
    state = state or {}
    if state.get("running") is not None:
        return [(f"{title}:", "Running"), ("  Started:", date(state["running"].get("startedAt")))]
    terminated = state.get("terminated")
    if terminated is not None:
        rows: Rows = [(f"{title}:", "Terminated"), ("  Reason:", ended(terminated))]
        if terminated.get("message"):
            rows.append(("  Message:", str(terminated["message"])))
        rows.append(("  Exit Code:", str(terminated.get("exitCode") or 0)))
        rows += [("  Started:", date(terminated.get("startedAt"))), ("  Finished:", date(terminated.get("finishedAt")))]
        return rows
    waiting = state.get("waiting") or {}
    reason: Rows = [("  Reason:", str(waiting["reason"]))] if waiting.get("reason") else []
    return [(f"{title}:", "Waiting"), *reason]


def _ports(ports: Any, field: str) -> str:
    return ", ".join(f"{port.get(field) or 0}/{port.get('protocol') or 'TCP'}" for port in ports) or NONE


def _environment_rows(container: Fields) -> Rows:
    rows: Rows = []
    sources = container.get("envFrom") or ()
    if sources:
        rows.append(("Environment Variables from:",))
    for source in sources:
        kind, found = (
            ("Secret", source["secretRef"])
            if source.get("secretRef")
            else ("ConfigMap", source.get("configMapRef") or {})
        )
        prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
        rows.append((f"  {found.get('name')}", f"{kind}{prefix}", _optional(found)))
    variables = container.get("env") or ()
    if not variables:
        return [*rows, ("Environment:", NONE)]
    return [*rows, ("Environment:",), *((f"  {each.get('name')}:", *_value(each)) for each in variables)]


def _value(variable: Fields) -> tuple[str, ...]:
    source = variable.get("valueFrom") or {}
    if key := source.get("configMapKeyRef"):
        return f"<set to the key '{key.get('key')}' of config map '{key.get('name')}'>", _optional(key)
    if key := source.get("secretKeyRef"):
        return f"<set to the key '{key.get('key')}' in secret '{key.get('name')}'>", _optional(key)
    if field := source.get("fieldRef"):
        return (f"({field.get('apiVersion') or 'v1'}:{field.get('fieldPath')})",)
    if resource := source.get("resourceFieldRef"):
        return (f"({resource.get('resource')})",)
    return (str(variable.get("value") or ""),)


def _optional(reference: Fields) -> str:
    return f"Optional: {'true' if reference.get('optional') else 'false'}"


def _mount(mount: Fields) -> str:
    flags = "ro" if mount.get("readOnly") else "rw"
    part = f',path="{mount["subPath"]}"' if mount.get("subPath") else ""
    return f"{mount.get('mountPath')} from {mount.get('name')} ({flags}{part})"


def _volume_rows(volume: Fields) -> Rows:
    """Return type and source of a volume."""
    if "configMap" in volume:
        source = volume["configMap"] or {}
        return [("Type:", "ConfigMap"), ("Name:", str(source.get("name"))), _optional_row(source)]
    if "secret" in volume:
        source = volume["secret"] or {}
        return [("Type:", "Secret"), ("SecretName:", str(source.get("secretName"))), _optional_row(source)]
    if "emptyDir" in volume:
        source = volume["emptyDir"] or {}
        limit = str(source.get("sizeLimit") or UNSET)
        return [("Type:", "EmptyDir"), ("Medium:", str(source.get("medium") or "")), ("SizeLimit:", limit)]
    if "hostPath" in volume:
        source = volume["hostPath"] or {}
        kind = str(source.get("type") or "")
        return [("Type:", "HostPath"), ("Path:", str(source.get("path"))), ("HostPathType:", kind)]
    if "persistentVolumeClaim" in volume:
        source = volume["persistentVolumeClaim"] or {}
        read_only = "true" if source.get("readOnly") else "false"
        claim = str(source.get("claimName"))
        return [("Type:", "PersistentVolumeClaim"), ("ClaimName:", claim), ("ReadOnly:", read_only)]
    if "projected" in volume:
        sources = (volume["projected"] or {}).get("sources") or ()
        return [("Type:", "Projected"), *(row for source in sources for row in _projected_rows(source))]
    return listed("Type:", sorted(name for name in volume if name != "name") or [NONE])


def _projected_rows(source: Fields) -> Rows:
    if source.get("configMap"):
        return [("ConfigMapName:", str(source["configMap"].get("name"))), _optional_row(source["configMap"])]
    if source.get("secret"):
        return [("SecretName:", str(source["secret"].get("name"))), _optional_row(source["secret"])]
    if source.get("downwardAPI") is not None:
        return [("DownwardAPI:", "true")]
    if source.get("serviceAccountToken") is not None:
        return [("TokenExpirationSeconds:", str(source["serviceAccountToken"].get("expirationSeconds") or 3600))]
    return []


def _optional_row(source: Fields) -> tuple[str, str]:
    return "Optional:", "true" if source.get("optional") else "false"
