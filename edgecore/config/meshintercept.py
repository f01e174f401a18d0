"""The settings of interception: ``modules.edgeMesh.intercept``."""

from typing import Annotated, Literal

from edgecore.config import rules
from edgecore.config.keys import Key, Section


class MeshIntercept(Section, frozen=True, kw_only=True):
    """``modules.edgeMesh.intercept``: how mode intercept changes the host."""

    check_interval: Annotated[
        float, Key(help="Time between two looks at whether all rules are there.", rule=rules.SECONDS)
    ] = 5
    create_interface: Annotated[
        bool,
        Key(
            help="Make listenInterface if it is not there, a dummy or else a bridge without ports, and take it away at "
            "the end. It is called edgemesh0 unless listenInterface was named; then it is rather a bridge."
        ),
    ] = True
    interface_address: Annotated[
        str,
        Key(
            help="The node's own address on the interface, at which it listens, as long as it runs.",
            rule=rules.IPV4_ADDRESS,
        ),
    ] = "169.254.96.16"
    kernel_plane: Annotated[
        bool,
        Key(help="Let the kernel itself balance ports that need no look into their bytes (needs nft)."),
    ] = True
    linger: Annotated[
        float,
        Key(
            help="How long after the end of the node connections of the kernel plane are kept for the next one.",
            rule=rules.SECONDS_OR_NEVER,
        ),
    ] = 30
    repair: Annotated[bool, Key(help="Put rules back that somebody took away; if not, only say so.")] = True
    tool: Annotated[
        Literal["auto", "nft", "iptables"],
        Key(help="What makes the rules. auto: nft, or iptables where nft is missing."),
    ] = "auto"
