"""What a pod says of how it is run: commands, variables, volumes, probes (typed read-only views, core/v1).

They widen those of ``edgecore/kube.py``, which has what others look at in thousands of pods.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from edgecore.kube import (
    Container,
    Metadata,
    Pod,
    PodSpec,
    ReadinessProbe,
    decode_view,
)

GRACE_S = 30
"""How long a pod has to end, where it does not say (Kubernetes' default)."""


class _View(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of the views, as in ``kube.py``."""


class FieldRef(_View, frozen=True, gc=False):
    """A field of the pod."""

    field_path: str = ""


class ResourceRef(_View, frozen=True, gc=False):
    """A request or limit of a container."""

    container_name: str = ""
    resource: str = ""
    divisor: str | int | float = ""


class KeyRef(_View, frozen=True, gc=False):
    """A key of a ConfigMap or Secret."""

    name: str = ""
    key: str = ""
    optional: bool = False


class ValueSource(_View, frozen=True, gc=False):
    """Where the value of a variable is from: one of these."""

    field_ref: FieldRef | None = None
    resource_field_ref: ResourceRef | None = None
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None


class Variable(_View, frozen=True, gc=False):
    """One variable of the environment."""

    name: str = ""
    value: str = ""
    value_from: ValueSource | None = None


class ObjectRef(_View, frozen=True, gc=False):
    """A whole ConfigMap or Secret."""

    name: str = ""
    optional: bool = False


class VariablesSource(_View, frozen=True, gc=False):
    """A ConfigMap or Secret each of whose keys is a variable."""

    prefix: str = ""
    config_map_ref: ObjectRef | None = None
    secret_ref: ObjectRef | None = None


class Mount(_View, frozen=True, gc=False):
    """Where a container has a volume."""

    name: str = ""
    mount_path: str = ""
    sub_path: str = ""


class ExecAction(_View, frozen=True, gc=False):
    """A probe by a command."""

    command: tuple[str, ...] = ()


class Probe(ReadinessProbe, frozen=True, gc=False):
    """How a container is asked how it is; 0 where a default is meant."""

    run: ExecAction | None = msgspec.field(default=None, name="exec")
    initial_delay_seconds: int = 0


class SecurityContext(_View, frozen=True, gc=False):
    """Who a container is."""

    run_as_non_root: bool | None = None


class ContainerToRun(Container, frozen=True, gc=False):
    """One container."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[Variable, ...] = ()
    env_from: tuple[VariablesSource, ...] = ()
    volume_mounts: tuple[Mount, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    security_context: SecurityContext = SecurityContext()


class KeyToPath(_View, frozen=True, gc=False):
    """The file that a key becomes."""

    key: str = ""
    path: str = ""
    mode: int | None = None


class ObjectVolume(_View, frozen=True, gc=False):
    """A ConfigMap or Secret as files."""

    name: str = ""
    secret_name: str = ""
    """What ``name`` is called in a volume of a Secret."""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False
    default_mode: int | None = None


class DownwardFile(_View, frozen=True, gc=False):
    """A field of the pod as a file."""

    path: str = ""
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceRef | None = None
    mode: int | None = None


class DownwardVolume(_View, frozen=True, gc=False):
    """Fields of the pod as files."""

    items: tuple[DownwardFile, ...] = ()
    default_mode: int | None = None


class Projection(_View, frozen=True, gc=False):
    """One source of a projected volume."""

    config_map: ObjectVolume | None = None
    secret: ObjectVolume | None = None
    downward_api: DownwardVolume | None = msgspec.field(default=None, name="downwardAPI")


class ProjectedVolume(_View, frozen=True, gc=False):
    """Files of several sources."""

    sources: tuple[Projection, ...] = ()
    default_mode: int | None = None


class HostPathVolume(_View, frozen=True, gc=False):
    """A file or directory of the machine."""

    path: str = ""
    type: str = ""


class Volume(_View, frozen=True, gc=False):
    """One volume of a pod; none of the sources: a kind that is not known here."""

    name: str = ""
    config_map: ObjectVolume | None = None
    secret: ObjectVolume | None = None
    projected: ProjectedVolume | None = None
    downward_api: DownwardVolume | None = msgspec.field(default=None, name="downwardAPI")
    empty_dir: Mapping[str, Any] | None = None
    host_path: HostPathVolume | None = None


class PodSpecToRun(PodSpec, frozen=True, gc=False):
    """What a pod is to be."""

    containers: tuple[ContainerToRun, ...] = ()
    init_containers: tuple[ContainerToRun, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = ""
    security_context: SecurityContext = SecurityContext()


class MetadataToRun(Metadata, frozen=True, gc=False):
    """What a pod carries."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class PodToRun(Pod, frozen=True, gc=False):
    """A pod with all that is needed to run it."""

    metadata: MetadataToRun = MetadataToRun()
    spec: PodSpecToRun = PodSpecToRun()

    @property
    def grace_s(self) -> int:
        """How long its containers have between SIGTERM and SIGKILL."""
        wanted = self.spec.termination_grace_period_seconds
        return GRACE_S if wanted is None else max(0, wanted)


_POD = msgspec.json.Decoder(PodToRun)


def decode_pod_to_run(data: bytes) -> PodToRun:
    """Return the pod in ``data``. Raises ``ContentError``."""
    return decode_view(data, _POD, "Pod")
