"""What the settings of interception come to."""

import msgspec

from edgecore.modules.edgemesh.intercept.capability import Setting


class InterceptSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``is_named``: the user named the interface; the default is a name that KubeEdge chose."""

    interface: str = "docker0"
    is_named: bool = False
    create_interface: bool = True
    address: str = "169.254.96.16"
    subnet: str = "9.251.0.0/16"
    mark: int = 0
    tool: Setting = "auto"
    kernel_plane: bool = True
    linger_s: float = 30.0
    check_interval_s: float = 5.0
    repair: bool = True
