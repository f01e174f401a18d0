"""One broker, and how it is spoken to."""

from pathlib import Path
from typing import Literal, NamedTuple

from edgecore.addresses import join_address

ProtocolVersion = Literal["3.1.1", "5"]


class Tls(NamedTuple):
    """The broker's certificate is always checked; against the system's authorities where no ``ca`` is given."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    """The name that the broker's certificate is to have, where it is not the host that is dialled."""


class Login(NamedTuple):
    """Who the node is to the broker. The file is read anew at each dial; its first line counts."""

    user: str
    password: str = ""
    password_file: Path | None = None

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ***)"


class Will(NamedTuple):
    """What the broker publishes for the node once that is gone without a word."""

    topic: str
    payload: str
    qos: Literal[0, 1, 2] = 1
    retain: bool = False


class Endpoint(NamedTuple):
    """One broker."""

    name: str
    """``external`` or ``internal``; a label of metrics."""
    host: str
    port: int
    tls: Tls | None = None
    login: Login | None = None
    will: Will | None = None
    version: ProtocolVersion = "3.1.1"
    qos: Literal[0, 1, 2] = 1
    """Of what is published; Go has 1 for the external broker, ``mqttQOS`` for the internal one."""
    retain: bool = False
    max_inflight: int = 100
    """Messages of QoS 1 and 2 that are published and not acknowledged."""
    max_packet_bytes: int = 8_388_608
    keep_alive_s: int = 30
    connect_timeout_s: float = 10.0
    """From the dial to the broker's answer."""
    subscriber_id: str = ""
    """The client ids, where they are not to be made up."""
    publisher_id: str = ""
    expected: bool = True
    """Whether somebody asked for it, so that its absence is trouble: few machines have KubeEdge's default."""

    @property
    def url(self) -> str:
        """As it is written in the settings."""
        return f"{'ssl' if self.tls else 'tcp'}://{join_address(self.host, self.port)}"
