"""The settings of ServiceBus (``modules.serviceBus`` of ``edgecore.yaml``)."""

from typing import Annotated

from edgecore.config import rules
from edgecore.config.addresses import HostPort, parse_port_target
from edgecore.config.keys import Enable, Key, Section


class ServiceBus(Section, frozen=True, kw_only=True):
    """``modules.serviceBus``."""

    enable: Enable = False
    max_body_bytes: Annotated[
        int,
        Key(help="The longest body of an answer.", rule=rules.between(1024, 2**26, "bytes"), reload=True, ours=True),
    ] = 5_000_000
    max_calls: Annotated[
        int,
        Key(
            help="Calls under way at a time; 256 more wait for them.",
            rule=rules.between(1, 1000, "calls"),
            reload=True,
            ours=True,
        ),
    ] = 16
    only_targets: Annotated[
        bool,
        Key(
            help="Whether the cloud may call nothing but targets; else also every port of 127.0.0.1.",
            reload=True,
            ours=True,
        ),
    ] = False
    targets: Annotated[
        tuple[str, ...],
        Key(
            help="Ports that stand for services elsewhere: a call to PORT goes to HOST:PORT.",
            rule=rules.PORT_TARGETS,
            reload=True,
            ours=True,
        ),
    ] = ()
    timeout: Annotated[
        float, Key(help="How long a call may take, from its arrival on.", rule=rules.SECONDS, reload=True, ours=True)
    ] = 10

    @property
    def places(self) -> dict[int, HostPort]:
        """``targets`` by port."""
        return dict(map(parse_port_target, self.targets))
