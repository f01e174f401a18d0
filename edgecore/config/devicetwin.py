"""The settings of DeviceTwin (``modules.deviceTwin`` of ``edgecore.yaml``)."""

from typing import Annotated

from edgecore.config import rules
from edgecore.config.keys import Enable, Key, Section


class DeviceTwin(Section, frozen=True, kw_only=True):
    """``modules.deviceTwin``."""

    enable: Enable = True
    resends: Annotated[
        int,
        Key(
            help="How often a report that the cloud does not confirm is sent again, 60 s apart; KubeEdge never ends.",
            rule=rules.between(0, 1000, "times"),
            ours=True,
        ),
    ] = 3
