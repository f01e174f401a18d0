"""The settings of Edged (``modules.edged`` of ``edgecore.yaml``)."""

from typing import Annotated, Literal

from msgspec import field

from edgecore.config import rules
from edgecore.config.addresses import AUTO
from edgecore.config.keys import Key, Section


class Edged(Section, frozen=True, kw_only=True):
    """``modules.edged``."""

    cgroup_driver: Annotated[
        Literal["cgroupfs", "systemd"], Key(help="Who manages the containers' cgroups.", used=False, minimal=True)
    ] = "cgroupfs"
    cgroup_root: Annotated[str, Key(help="The root cgroup of pods.", used=False, minimal=True)] = ""
    cgroups_per_qos: Annotated[
        bool, Key(help="Whether each quality-of-service class has a cgroup.", used=False, minimal=True)
    ] = field(default=True, name="cgroupsPerQOS")
    cluster_dns: Annotated[str, Key(help="The name server of pods.", used=False, minimal=True)] = field(
        default="", name="clusterDNS"
    )
    cluster_domain: Annotated[
        str,
        Key(
            help="The last part of service names; cluster.local if empty.",
            rule=rules.CLUSTER_DOMAIN,
            always=True,
            minimal=True,
        ),
    ] = ""
    cni_bin_dir: Annotated[str, Key(help="Where network plugins are.", used=False)] = "/opt/cni/bin"
    cni_cache_dirs: Annotated[str, Key(help="Where network plugins keep things.", used=False)] = "/var/lib/cni/cache"
    cni_conf_dir: Annotated[str, Key(help="Where network plugins are configured.", used=False)] = "/etc/cni/net.d"
    concurrent_consumers: Annotated[
        int, Key(help="Pods that are added or removed at the same time.", rule=rules.POSITIVE, used=False)
    ] = 5
    device_plugin_enabled: Annotated[bool, Key(help="Whether device plugins are served.", used=False, minimal=True)] = (
        False
    )
    docker_address: Annotated[str, Key(help="Docker's socket.", used=False, minimal=True)] = (
        "unix:///var/run/docker.sock"
    )
    edge_core_cgroups: Annotated[str, Key(help="The cgroup of edgecore itself.", used=False, sparse=True)] = ""
    edged_memory_capacity: Annotated[
        int, Key(help="The memory set aside for the node (bytes).", rule=rules.NOT_NEGATIVE, used=False)
    ] = 7_852_396_000
    enable: Annotated[bool, Key(help="Whether the module runs.")] = True
    enable_metrics: Annotated[bool, Key(help="Whether container metrics are served.", used=False)] = True
    gpu_plugin_enabled: Annotated[bool, Key(help="Whether GPUs are served.", used=False, minimal=True)] = False
    hostname_override: Annotated[
        str,
        Key(
            help="The node's name in the cloud. The default is made a Kubernetes name: lower case, - for what is not.",
            rule=rules.NODE_NAME,
            always=True,
            minimal=True,
            shown="the machine's host name",
        ),
    ] = "edge-node"
    image_gc_high_threshold: Annotated[
        int, Key(help="Disk use at which images are removed (percent).", rule=rules.PERCENT, used=False)
    ] = field(default=80, name="imageGCHighThreshold")
    image_gc_low_threshold: Annotated[
        int, Key(help="Disk use down to which images are removed (percent).", rule=rules.PERCENT, used=False)
    ] = field(default=40, name="imageGCLowThreshold")
    image_pull_progress_deadline: Annotated[
        int, Key(help="The longest that a pull may stand still.", rule=rules.WHOLE_SECONDS, used=False)
    ] = 60
    interface_name: Annotated[str, Key(help="The node's network interface.", used=False, minimal=True)] = "eth0"
    max_pods: Annotated[
        int,
        Key(
            help="Pods that the node takes on, as the kubelet's key of that name; KubeEdge always has 110.",
            rule=rules.between(0, 65_533, "pods"),
            ours=True,
        ),
    ] = 110
    maximum_dead_containers_per_pod: Annotated[
        int, Key(help="Ended containers that are kept of a pod.", rule=rules.between(-1, rules.INT32_MAX), used=False)
    ] = 1
    network_plugin_mtu: Annotated[
        int, Key(help="The largest packet of pods.", rule=rules.between(0, 65_535, "bytes"), used=False)
    ] = field(default=1500, name="networkPluginMTU")
    network_plugin_name: Annotated[str, Key(help="The network plugin; none if empty.", used=False, sparse=True)] = ""
    node_ip: Annotated[
        str,
        Key(
            help="The node's address as the cloud shows it.",
            rule=rules.IP_ADDRESS,
            minimal=True,
            shown="the local IP address",
        ),
    ] = field(default="127.0.0.1", name="nodeIP")
    node_status_update_frequency: Annotated[
        int, Key(help="Time between two reports of the node's state.", rule=rules.WHOLE_SECONDS, reload=True)
    ] = 10
    process_images: Annotated[
        tuple[str, ...],
        Key(
            help="Runtime process: the commands that stand for images, of containers without a command"
            " (IMAGE=COMMAND ARGUMENT...; {hostPort}, {containerPort}, {root}, {nodeIP}, {args}).",
            rule=rules.IMAGE_COMMANDS,
            ours=True,
        ),
    ] = ()
    process_log_size: Annotated[
        int,
        Key(
            help="Runtime process: bytes at which the log of a container is turned; one older part is kept.",
            rule=rules.between(65_536, 1 << 30, "bytes"),
            ours=True,
        ),
    ] = 10_485_760
    process_root: Annotated[
        str,
        Key(
            help="Runtime process: where volumes and logs of pods are. auto: pods beside database.dataSource.",
            rule=rules.AUTO_DIRECTORY,
            ours=True,
        ),
    ] = AUTO
    pod_sandbox_image: Annotated[
        str, Key(help="The image that holds a pod's namespaces.", used=False, minimal=True)
    ] = "kubeedge/pause:3.1"
    pod_start_delay: Annotated[
        int,
        Key(
            help="How long the containers of a simulated pod take to run.",
            rule=rules.between(0, 86400, "seconds"),
            ours=True,
        ),
    ] = 0
    register_node: Annotated[bool, Key(help="Whether the node registers itself in the cloud.")] = True
    register_node_namespace: Annotated[
        str, Key(help="The namespace in which the node's messages are addressed.", rule=rules.NAMESPACE)
    ] = "default"
    remote_image_endpoint: Annotated[
        str, Key(help="The image service's socket (runtimeType remote).", used=False, minimal=True)
    ] = "unix:///var/run/dockershim.sock"
    remote_runtime_endpoint: Annotated[
        str, Key(help="The container runtime's socket (runtimeType remote).", used=False, minimal=True)
    ] = "unix:///var/run/dockershim.sock"
    runtime: Annotated[
        str,
        Key(
            help="What runs pods. simulated: nothing, they only change their state. process: the commands of"
            " containers, on this machine, as the node's user: whoever writes pods in the cloud runs programs here.",
            rule=rules.POD_RUNTIME,
            ours=True,
        ),
    ] = "simulated"
    runtime_request_timeout: Annotated[
        int, Key(help="The longest call of the runtime.", rule=rules.WHOLE_SECONDS, used=False)
    ] = 2
    runtime_type: Annotated[
        Literal["docker", "remote"], Key(help="How containers are run.", used=False, minimal=True)
    ] = "docker"
    system_cgroups: Annotated[
        str, Key(help="The cgroup of processes that are in no container.", used=False, sparse=True)
    ] = ""
    volume_stats_agg_period: Annotated[
        int,
        Key(
            help="Time between two measurements of volumes (nanoseconds).",
            rule=rules.between(-rules.INT64_MAX, rules.INT64_MAX),
            used=False,
        ),
    ] = 60_000_000_000
