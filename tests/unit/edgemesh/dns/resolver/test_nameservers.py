"""Which servers are in force, as resolv.conf comes, changes and goes."""

import os

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.resolver.nameservers import CHECK_EVERY_S, Nameservers


@pytest.fixture
def resolv_conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    return path


@pytest.fixture
def clock():
    return VirtualClock()


def test_servers_of_the_settings_are_used_and_the_file_is_not(resolv_conf, clock):
    assert Nameservers([("192.0.2.9", 5353)], resolv_conf, clock).current() == (("192.0.2.9", 5353),)
    assert Nameservers([], resolv_conf, clock).current() == ()


@pytest.mark.parametrize("server", [("dns.example", 53), ("", 53), ("192.0.2.9", 0), ("192.0.2.9", 65536)])
def test_setting_that_is_no_address_is_refused(server, resolv_conf, clock):
    with pytest.raises(ConfigError, match="cannot forward to"):
        Nameservers([server], resolv_conf, clock)


def test_file_is_read_at_the_first_question(resolv_conf, clock):
    assert Nameservers(None, resolv_conf, clock).current() == (("192.0.2.1", 53),)


async def test_change_is_seen_at_the_next_check_and_not_before(resolv_conf, clock):
    servers = Nameservers(None, resolv_conf, clock)
    servers.current()
    resolv_conf.write_text("nameserver 192.0.2.22\n")
    await clock.advance(CHECK_EVERY_S - 0.1)
    assert servers.current() == (("192.0.2.1", 53),)
    await clock.advance(0.1)
    assert servers.current() == (("192.0.2.22", 53),)


async def test_unchanged_file_is_not_read_again(resolv_conf, clock):
    servers = Nameservers(None, resolv_conf, clock)
    with capture_logs() as logs:
        servers.current()
        await clock.advance(CHECK_EVERY_S)
        servers.current()
    assert [entry["event"] for entry in logs] == ["resolv_conf_read"]


async def test_unreadable_file_is_no_servers_and_one_log_line(resolv_conf, clock):
    resolv_conf.unlink()
    servers = Nameservers(None, resolv_conf, clock)
    with capture_logs() as logs:
        for _ in range(3):
            assert servers.current() == ()
            await clock.advance(CHECK_EVERY_S)
    assert [entry["event"] for entry in logs] == ["resolv_conf_unreadable"]


async def test_file_that_comes_back_is_read_though_its_time_is_the_same(resolv_conf, clock):
    servers = Nameservers(None, resolv_conf, clock)
    servers.current()
    aside = resolv_conf.with_name("aside")
    resolv_conf.rename(aside)
    await clock.advance(CHECK_EVERY_S)
    assert servers.current() == ()
    aside.rename(resolv_conf)
    await clock.advance(CHECK_EVERY_S)
    assert servers.current() == (("192.0.2.1", 53),)


def test_named_pipe_is_unreadable_and_does_not_block(tmp_path, clock):
    os.mkfifo(tmp_path / "resolv.conf")
    assert Nameservers(None, tmp_path / "resolv.conf", clock).current() == ()


def test_bytes_that_are_no_text_are_survived(resolv_conf, clock):
    resolv_conf.write_bytes(b"\xff\xfe\nnameserver 192.0.2.1\n")
    assert Nameservers(None, resolv_conf, clock).current() == (("192.0.2.1", 53),)
