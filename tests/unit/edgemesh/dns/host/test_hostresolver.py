"""When the host's resolv.conf names the node, and when no more."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.host.hostresolver import LOOK_EVERY_S, HostResolver
from edgecore.modules.edgemesh.dns.resolver.exchange import is_ourselves
from edgecore.modules.edgemesh.dns.resolver.nameservers import Nameservers

ORIGINAL = b"# office\nnameserver 192.0.2.1\r\nsearch corp.example\noptions ndots:2\nnameserver 192.0.2.2"
OURS = b"nameserver 127.0.0.1 # edgecore: first while it runs\n"


class FakeDns:
    """A server that says where it listens, and keeps what the file said when it began and ended."""

    def __init__(self, path: Path, *addresses: tuple[str, int]) -> None:
        self.addresses = addresses or (("127.0.0.1", 53),)
        self.seen: list[tuple[str, bytes]] = []
        self.fails = False
        self._path = path

    async def start(self) -> None:
        if self.fails:
            raise ListenError("127.0.0.1:53", "in_use", "address already in use")
        self.seen.append(("started", self._path.read_bytes()))

    async def stop(self) -> None:
        self.seen.append(("stopped", self._path.read_bytes()))

    def status(self):
        return {"listening": ["127.0.0.1:53"]}


def version(path: Path) -> tuple[int, ...]:
    """Return what changes with each write; reading changes other figures too."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_bytes(ORIGINAL)
    return path


@pytest.fixture
def dns(file):
    return FakeDns(file)


async def test_the_file_names_the_node_from_start_to_stop_and_is_then_what_it_was(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    assert file.read_bytes() == OURS + ORIGINAL
    assert host.status() == {
        "listening": ["127.0.0.1:53"],
        "resolv_conf": {"path": str(file), "wanted": True, "server": "127.0.0.1", "problem": ""},
    }
    await host.stop()
    assert file.read_bytes() == ORIGINAL
    await host.stop()
    assert file.read_bytes() == ORIGINAL


async def test_the_server_listens_before_it_is_named_and_as_long_as_it_is(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    await host.stop()
    assert dns.seen == [("started", ORIGINAL), ("stopped", ORIGINAL)]


async def test_the_file_is_not_touched_unless_it_is_wanted(file, dns):
    before = version(file)
    host = HostResolver(dns, file, VirtualClock(), wanted=False)
    await host.start()
    await host.stop()
    assert version(file) == before
    assert list(file.parent.iterdir()) == [file]
    assert host.status()["resolv_conf"]["problem"] == ""


async def test_a_server_that_cannot_listen_is_not_named(file, dns):
    dns.fails = True
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    with pytest.raises(ListenError):
        await host.start()
    await host.stop()
    assert file.read_bytes() == ORIGINAL


async def test_the_file_is_changed_once_and_what_others_make_of_it_stays(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    file.write_bytes(b"nameserver 192.0.2.9\n" + OURS + b"# theirs\n")
    await host.stop()
    assert file.read_bytes() == b"nameserver 192.0.2.9\n# theirs\n"


async def test_a_file_that_another_program_wrote_anew_stays_so(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    file.write_bytes(b"nameserver 192.0.2.9\n")
    before = version(file)
    await host.stop()
    assert version(file) == before


@pytest.mark.parametrize("wanted", [True, False])
async def test_what_a_crash_left_is_put_back(file, dns, wanted):
    first = HostResolver(dns, file, VirtualClock(), wanted=True)
    await first.start()
    first._hold.close()  # as the end of the process does

    again = HostResolver(dns, file, VirtualClock(), wanted=wanted)
    with capture_logs() as logs:
        await again.start()
    assert file.read_bytes() == (OURS + ORIGINAL if wanted else ORIGINAL)
    assert [entry["event"] for entry in logs] == ["resolv_conf_changed" if wanted else "resolv_conf_put_back"]
    await again.stop()
    assert file.read_bytes() == ORIGINAL


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_line_of_another_node_that_runs_is_left_alone(file, dns, wanted):
    running = HostResolver(dns, file, VirtualClock(), wanted=True)
    await running.start()
    other = HostResolver(FakeDns(file, ("127.0.0.2", 53)), file, VirtualClock(), wanted=wanted)
    with capture_logs() as logs:
        await other.start()
        await other.stop()
    assert file.read_bytes() == OURS + ORIGINAL
    assert [entry["reason"] for entry in logs] == (["another_node"] if wanted else [])
    assert bool(other.status()["resolv_conf"]["problem"]) == wanted
    await running.stop()
    assert file.read_bytes() == ORIGINAL


async def test_a_server_on_another_port_is_a_warning_and_the_file_is_not_touched(file):
    before = version(file)
    host = HostResolver(FakeDns(file, ("127.0.0.1", 10053)), file, VirtualClock(), wanted=True)
    with capture_logs() as logs:
        await host.start()
    (warning,) = logs
    assert (warning["event"], warning["log_level"], warning["reason"]) == (
        "resolv_conf_not_changed",
        "warning",
        "no_port_53",
    )
    assert "127.0.0.1:10053" in host.status()["resolv_conf"]["problem"]
    assert "listen to 127.0.0.1:53" in host.status()["resolv_conf"]["problem"]
    await host.stop()
    assert version(file) == before


async def test_a_server_that_gets_port_53_later_is_named_then(file, vclock):
    dns = FakeDns(file, ("127.0.0.1", 10053))
    host = HostResolver(dns, file, vclock, wanted=True)
    await host.start()
    await vclock.advance(10 * LOOK_EVERY_S)
    assert file.read_bytes() == ORIGINAL
    dns.addresses = (("127.0.0.1", 53),)
    await vclock.advance(LOOK_EVERY_S)
    assert file.read_bytes() == OURS + ORIGINAL
    assert host.status()["resolv_conf"]["problem"] == ""
    await host.stop()
    assert file.read_bytes() == ORIGINAL


async def test_what_a_crash_left_and_cannot_be_put_back_is_an_error_and_the_server_runs(file, dns):
    file.write_bytes(OURS + ORIGINAL)
    os.link(file, file.with_name("second"))
    host = HostResolver(dns, file, VirtualClock(), wanted=False)
    with capture_logs() as logs:
        await host.start()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("resolv_conf_not_put_back", "error")]
    await host.stop()


async def test_a_server_on_another_port_still_puts_back_what_a_crash_left(file):
    file.write_bytes(OURS + ORIGINAL)
    host = HostResolver(FakeDns(file, ("127.0.0.1", 10053)), file, VirtualClock(), wanted=True)
    await host.start()
    assert file.read_bytes() == ORIGINAL
    await host.stop()


@pytest.mark.parametrize("how", ["link", "absent", "no_file"])
async def test_a_file_that_cannot_be_replaced_is_one_warning_and_the_server_runs(tmp_path, how):
    path = tmp_path / "resolv.conf"
    if how == "link":
        (tmp_path / "stub").write_bytes(ORIGINAL)
        path.symlink_to("stub")
    elif how == "no_file":
        path.mkdir()

    class Dns(FakeDns):
        async def start(self) -> None: ...

        async def stop(self) -> None: ...

    host = HostResolver(Dns(path), path, VirtualClock(), wanted=True)
    with capture_logs() as logs:
        await host.start()
        await host.stop()
    (warning,) = logs
    assert (warning["event"], warning["reason"]) == ("resolv_conf_not_changed", how)
    assert warning["hint"]
    assert host.status()["resolv_conf"]["server"] is None
    if how == "link":
        assert (tmp_path / "stub").read_bytes() == ORIGINAL


async def test_a_file_that_names_the_node_first_already_is_not_touched(file, dns):
    file.write_bytes(b"nameserver 127.0.0.1\n" + ORIGINAL)
    before = version(file)
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    await host.stop()
    assert version(file) == before


async def test_a_resolver_that_takes_turns_is_warned_of(file, dns):
    file.write_bytes(ORIGINAL.replace(b"ndots:2", b"rotate"))
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    with capture_logs() as logs:
        await host.start()
    assert [entry["event"] for entry in logs] == ["resolv_conf_changed", "resolv_conf_rotates"]
    await host.stop()


async def test_a_file_that_cannot_be_put_back_is_an_error_that_says_what_to_do(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    os.link(file, file.with_name("second"))
    with capture_logs() as logs:
        await host.stop()
    (error,) = logs
    assert (error["log_level"], error["then"]) == ("error", "edgecore doctor --fix-resolv-conf")
    held = hostfile.hold(file)
    assert held is not None
    held.close()


async def test_the_servers_that_were_there_are_our_upstreams_and_we_are_not(file, dns):
    host = HostResolver(dns, file, VirtualClock(), wanted=True)
    await host.start()
    servers = Nameservers(None, file, VirtualClock()).current()
    asked = [server for server in servers if not is_ourselves(server, dns.addresses)]
    assert asked == [("192.0.2.1", 53), ("192.0.2.2", 53)]
    await host.stop()
