"""What every test gets: time and ids that repeat, a hypothesis profile, and a check that it leaves nothing behind."""

import asyncio
import ctypes
import hashlib
import logging
import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, settings
from pytest_asyncio import is_async_test

from edgecore.clock import VirtualClock
from edgecore.ids import NewId, seeded_ids
from edgecore.observe.metrics import Metrics

LONG = os.environ.get("EDGECORE_TESTS") == "long"
PROFILE = "long" if LONG else "short"
SCALE = 20 if LONG else 1

# A slow machine is no finding: no deadlines, and no complaint about slow generation.
for name, examples in (("short", 60), ("long", 2000)):
    settings.register_profile(
        name,
        max_examples=examples,
        derandomize=False,
        print_blob=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    from outside import Outside

    if not hasattr(config, "workerinput") and not config.option.collectonly:  # not in each process of pytest-xdist
        config.pluginmanager.register(Outside())


def pytest_report_header(config: pytest.Config) -> str:
    seed = config.getoption("randomly_seed", default="none")
    profile = settings.get_current_profile_name()
    examples = settings.get_profile(profile).max_examples
    return f"edgecore: seed {seed}, hypothesis profile {profile} ({examples} examples a property), scale {SCALE}"


@pytest.fixture
def vclock() -> VirtualClock:
    """Time that moves only by ``advance``."""
    return VirtualClock()


@pytest.fixture
def ids() -> NewId:
    """The same ids in every run."""
    return seeded_ids(1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(scope="session")
def scale() -> int:
    """How many times as long a test may take that has no examples of hypothesis to count: 1, or more in a long run."""
    return SCALE


class CloudAuthority:
    """A CA as a cloudcore of 1.3.1 makes it (spec 3.2): P-256, CN=KubeEdge, no key identifiers."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "KubeEdge")])
        self.certificate = (
            self._builder(self.name, self.key.public_key(), timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def token(self, expires: datetime | None = None) -> str:
        """Return a token of spec 3.4; it expires in 2100 if nothing else is said."""
        claims = {"exp": int((expires or datetime(2100, 1, 1, tzinfo=UTC)).timestamp())}
        return f"{hashlib.sha256(self.der).hexdigest()}.{jwt.encode(claims, self.secret, algorithm='HS256')}"

    @property
    def secret(self) -> bytes:
        """The key of the JWT's signature: the CA's private key, SEC1 DER."""
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self.key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())

    def sign(
        self,
        request_der: bytes,
        lifetime: timedelta = timedelta(days=36500),
        not_before: datetime | None = None,
    ) -> bytes:
        """Return the certificate of a node for its request, as DER."""
        request = x509.load_der_x509_csr(request_der)
        kept = [each for each in request.subject if each.oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)]
        builder = self._builder(x509.Name(kept), request.public_key(), lifetime, not_before)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = builder.add_extension(usage, critical=False).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)

    def server_files(
        self,
        folder: Path,
        address: str = "127.0.0.1",
        lifetime: timedelta = timedelta(days=36500),
        may: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> tuple[Path, Path]:
        """Write a server's certificate, for one IP address alone, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        usage = x509.ExtendedKeyUsage([may])
        subject = x509.Name([*self.name, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "KubeEdge")])
        builder = self._builder(subject, key.public_key(), lifetime)
        certificate = builder.add_extension(names, False).add_extension(usage, False).sign(self.key, hashes.SHA256())
        files = (folder / f"{address}.crt", folder / f"{address}.key")
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return files

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        lifetime: timedelta,
        not_before: datetime | None = None,
    ) -> x509.CertificateBuilder:
        start = not_before or datetime(2020, 1, 1, tzinfo=UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        return builder.serial_number(1024).not_valid_before(start).not_valid_after(start + lifetime)


@pytest.fixture(scope="session")
def authority() -> CloudAuthority:
    """The CA of a cloud."""
    return CloudAuthority()


@pytest.fixture(scope="session")
def other_authority() -> CloudAuthority:
    """The CA of another cloud."""
    return CloudAuthority()


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Take from this thread what root may do beyond its own files, where root runs the tests; uid and files stay.

    The effective capabilities are put down and taken up again (``capset(2)``), so that "permission denied" is tested
    wherever the tests run.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits each
    assert libc.capget(header, held) == 0
    lowered = (ctypes.c_uint32 * 6)(0, held[1], held[2], 0, held[4], held[5])
    assert libc.capset(header, lowered) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


_COMMANDS = {
    "needs_dig": ("dig", "bind9-dnsutils"),
    "needs_host": ("host", "bind9-host"),
    "needs_curl": ("curl", "curl"),
    "needs_musl": ("musl-gcc", "musl-tools"),
    "needs_mosquitto": ("mosquitto", "mosquitto"),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from oneprocess import OneProcessForPools

    return OneProcessForPools(config, log)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        from oneprocess import rank

        items.sort(key=lambda item: rank(item.nodeid))
    missing = {
        marker: f"the {command} command is not installed (Debian: apt-get install {package})"
        for marker, (command, package) in _COMMANDS.items()
        if shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") is None
    }
    if os.geteuid() != 0:
        missing["needs_root"] = "needs root: run the tests as root for this one"
    for item in items:
        for marker in item.iter_markers():
            if marker.name in missing:
                item.add_marker(pytest.mark.skip(reason=missing[marker.name]))
            if marker.name == "needs_amqtt" and not _has_amqtt():
                item.add_marker(pytest.mark.skip(reason="there is no Python with amqtt (make broker)"))
            if marker.name == "namespaces" and (reason := _why_no_namespaces(*marker.args)):
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_amqtt() -> bool:
    from brokerpython import broker_python

    return broker_python() is not None


def _why_no_namespaces(*tools: str) -> str | None:
    from netns import why_not

    return why_not(*tools)


@pytest.fixture
def nets() -> Iterator[Any]:
    """Network namespaces, made as the test asks and gone with it (``netns.Nets``). For ``namespaces`` tests."""
    from netns import Nets

    with Nets() as made:
        yield made


@pytest.fixture
def mosquitto_at(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start a ``mosquitto.Mosquitto`` with these options; all of them end with the test. For ``needs_mosquitto``."""
    from mosquitto import Mosquitto

    with ExitStack() as brokers:
        yield lambda **options: brokers.enter_context(Mosquitto(tmp_path, **options))


class _Held(NamedTuple):
    """What this process holds open. What fixtures of a wider scope hold is there before and after a test."""

    threads: frozenset[threading.Thread]
    children: frozenset[str]
    sockets: frozenset[int]


_THREADS = Path("/proc/self/task")
_HELD_BEFORE = pytest.StashKey[_Held]()


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request: pytest.FixtureRequest) -> None:
    """Remember what is held, before any other fixture of the test; the hook below compares."""
    request.node.stash[_HELD_BEFORE] = _held()
    if is_async_test(request.node):
        request.getfixturevalue("_no_task_is_left_behind")


@pytest.fixture
async def _no_task_is_left_behind() -> AsyncIterator[None]:
    """Fail the test if one of its tasks still runs; it is set up first and so looks last, in the test's own loop."""
    yield
    this = asyncio.current_task()
    for _ in range(20):  # tasks that were cancelled need a turn or two of the loop to end
        left = [task for task in asyncio.all_tasks() if task is not this]
        if not left:
            return
        await asyncio.sleep(0)
    pytest.fail("the test left tasks behind:\n" + "\n".join(f"  {task!r}" for task in left), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield
    _take_logging_back()
    before = item.stash.get(_HELD_BEFORE, None)
    if before is None:
        return
    now = _held()
    left = [
        *(f"thread {thread.name}" for thread in now.threads - before.threads if _still_runs(thread)),
        *(f"child process {_command_of(child)}" for child in now.children - before.children),
        *(f"socket {_name_of(inode)}" for inode in now.sockets - before.sockets),
    ]
    if left:
        pytest.fail("the test left behind:\n" + "\n".join(f"  {what}" for what in left), pytrace=False)


def _take_logging_back() -> None:
    """Undo ``configure_logging``, which sets up the whole process."""
    if structlog.is_configured():
        structlog.reset_defaults()
        root = logging.getLogger()
        for handler in [each for each in root.handlers if type(each).__module__.startswith("edgecore.")]:
            root.removeHandler(handler)
        root.setLevel(logging.WARNING)


def _held() -> _Held:
    return _Held(frozenset(threading.enumerate()), frozenset(_children()), frozenset(_sockets()))


def _still_runs(thread: threading.Thread) -> bool:
    thread.join(0.5)  # one that was told to end may
    return thread.is_alive()


def _children() -> Iterator[str]:
    """Yield process ids; none where the system does not tell."""
    with suppress(OSError):
        for thread in _THREADS.iterdir():
            yield from (thread / "children").read_text().split()


def _command_of(child: str) -> str:
    with suppress(OSError):
        for _ in range(20):
            words = Path("/proc", child, "cmdline").read_text().replace("\0", " ").strip()
            if words:
                return f"{child}: {words}"
            if Path("/proc", child, "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return f"{child}: ended, but nobody waited for it"
            time.sleep(0.01)  # between the end of exec for its parent and for itself it has no command line
    return child


def _sockets() -> dict[int, int]:
    """Return inode to file descriptor of each socket; nothing where the system does not tell."""
    found: dict[int, int] = {}
    with suppress(OSError):
        for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - twice a test, and pathlib takes four times as long
            with suppress(OSError):  # the one of this very listing is closed by now
                seen = os.fstat(int(fd))
                if stat.S_ISSOCK(seen.st_mode):
                    found[seen.st_ino] = int(fd)
    return found


def _name_of(inode: int) -> str:
    with suppress(OSError, KeyError), socket.socket(fileno=os.dup(_sockets()[inode])) as copy:
        return f"{copy.family.name} {copy.getsockname()!r}"
    return str(inode)
