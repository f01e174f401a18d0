"""What can be set when the stub is started, and where its files are by default."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cloudhub_stub.controllers.names import CONTROLLERS, NODE_GRACE_S
from cloudhub_stub.delivery.ack_lane import DEFAULT_TIMING, Timing
from cloudhub_stub.delivery.queue import DEFAULT_RULES, QueueRules
from cloudhub_stub.statedir import control_socket, token_file

if TYPE_CHECKING:  # reading it takes time that most commands need not spend
    from cloudhub_stub.faults.steps import Step

DEFAULT_LISTEN = "127.0.0.1:10000"
"""The port of KubeEdge's CloudHub, on this machine only."""

DEFAULT_HTTPS = "127.0.0.1:10002"
"""The port where KubeEdge gives certificates, on this machine only."""

HUNDRED_YEARS_DAYS = 36500.0
"""How long the certificates of KubeEdge last."""

DEFAULT_TOKEN_LIFETIME_S = 24 * 3600.0

DEFAULT_KEEPALIVE_TIMEOUT_S = 30.0
"""As ``keepaliveInterval`` of CloudHub; an edge sends a keepalive every 15 s."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message that is read, all its fragments together."""

DEFAULT_WRITE_TIMEOUT_S = 30.0
"""As ``writeTimeout`` of CloudHub, which only a faithful stub has."""

DEFAULT_ANSWER_DELAY_S = 0.010
"""5 to 30 ms are enough for a Go edge to be ready for the answer to its question."""

DEFAULT_NODE_LIMIT = 1000

MAX_IN_FLIGHT = 1000

OBSERVE_OFF = "off"

OBSERVE_BASE_PORT = 10450
"""The first port that ``--observe auto`` tries."""


@dataclass(frozen=True)
class CertificateFiles:
    """The user's own PEM files: of each pair both or none."""

    ca: Path | None = None
    ca_key: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Settings:
    """The settings of one stub. ``listen`` is ``host:port``; ``observe`` also ``auto`` or ``off``."""

    state_dir: Path
    listen: str = DEFAULT_LISTEN
    control: Path | None = None
    """The control socket; ``None`` for the one in ``state_dir``."""
    observe: str = "auto"
    keepalive_timeout_s: float = DEFAULT_KEEPALIVE_TIMEOUT_S
    max_message_bytes: int = MAX_MESSAGE_BYTES
    scenario: "tuple[Step, ...]" = ()
    """What is to go wrong (``faults/``)."""
    plain: bool = False
    """``ws://`` without TLS, and no https listener."""
    https: str = DEFAULT_HTTPS
    """Where certificates are given, ``host:port``."""
    advertise: tuple[str, ...] = ()
    """More names and addresses by which edges reach the stub: the server's certificate is for them too."""
    certificate_files: CertificateFiles = CertificateFiles()
    cert_days: float = HUNDRED_YEARS_DAYS
    """How long the certificates of edges last."""
    token_lifetime_s: float = DEFAULT_TOKEN_LIFETIME_S

    resend_every_s: float = DEFAULT_TIMING.resend_every_s
    give_up_after_s: float = DEFAULT_TIMING.give_up_after_s
    in_flight: int | None = None
    """How many messages that are due an acknowledgement are on their way to a node at a time; ``None`` for one to a Go
    edge and more to an edge of this project, which a faithful stub does not tell from one of Go."""
    queue_messages: int = DEFAULT_RULES.max_messages
    queue_bytes: int = DEFAULT_RULES.max_bytes
    """How much waits for a node."""
    answer_delay_s: float = DEFAULT_ANSWER_DELAY_S
    node_limit: int = DEFAULT_NODE_LIMIT
    faithful: bool = False
    """Whether the bugs of CloudHub 1.3.1 that a peer can see are there too."""
    write_timeout_s: float = DEFAULT_WRITE_TIMEOUT_S
    confirm_reports: bool = False
    """Whether reports of devices are answered, as clouds from 1.4 on do."""
    tell_devices: bool = False
    """Whether the question ``membership/detail`` is answered, which CloudHub of 1.3.1 never does."""
    controllers: tuple[str, ...] = CONTROLLERS
    """Which controllers of the cluster work."""
    node_grace_s: float = NODE_GRACE_S
    """How long a node may post no status before it is not ready any more."""
    record: Path | None = None
    """The file into which the frames of all nodes are recorded, and what goes wrong on purpose."""
    record_secrets: bool = False

    @property
    def pki_dir(self) -> Path:
        """Where the CA and the server's certificate are."""
        return self.state_dir / "pki"

    @property
    def token_path(self) -> Path:
        """Where the token is."""
        return token_file(self.state_dir)

    @property
    def queue_rules(self) -> QueueRules:
        """What holds for the queues of all nodes."""
        timing = Timing(self.resend_every_s, self.give_up_after_s)
        window = DEFAULT_TIMING.in_flight if self.in_flight is None and self.faithful else self.in_flight
        if window is not None:
            timing = timing._replace(in_flight=window, in_flight_ours=window)
        return QueueRules(timing, self.queue_messages, self.queue_bytes, self.faithful)

    @property
    def control_path(self) -> Path:
        """Where the control socket is."""
        return control_socket(self.state_dir) if self.control is None else self.control
