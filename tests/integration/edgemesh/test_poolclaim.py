import subprocess
import sys
import tempfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from edgecore.errors import ListenError, PoolExhausted
from edgecore.modules.edgemesh.poolclaim import candidates, claim_pool, lock_subnet

# Not the default pool: a node may be running on this machine.
TOP = IPv4Network("127.219.0.0/16")
BELOW = IPv4Network("127.218.0.0/16")


def test_the_configured_pool_comes_first_and_then_those_below_it() -> None:
    subnets = candidates(IPv4Network("127.251.0.0/16"), None)

    assert [str(subnet) for subnet in subnets[:3]] == ["127.251.0.0/16", "127.250.0.0/16", "127.249.0.0/16"]
    assert len(subnets) == 16


def test_the_pool_used_last_comes_before_the_configured_one() -> None:
    subnets = candidates(IPv4Network("127.251.0.0/16"), "127.249.0.0/16")

    assert [str(subnet) for subnet in subnets[:3]] == ["127.249.0.0/16", "127.251.0.0/16", "127.250.0.0/16"]
    assert len(set(subnets)) == 16


@pytest.mark.parametrize("last_used", ["127.1.0.0/16", "9.251.0.0/16", "nonsense", ""])
def test_a_pool_used_last_that_the_configuration_does_not_allow_any_more_is_not_tried(last_used: str) -> None:
    configured = IPv4Network("127.251.0.0/16")

    assert candidates(configured, last_used) == candidates(configured, None)


def test_the_network_of_the_host_itself_is_never_a_pool() -> None:
    assert [str(subnet) for subnet in candidates(IPv4Network("127.2.0.0/16"), "127.0.0.0/16")] == [
        "127.2.0.0/16",
        "127.1.0.0/16",
    ]


def test_two_claims_in_one_process_exclude_each_other() -> None:
    first = claim_pool([TOP, BELOW], lock_subnet)
    second = claim_pool([TOP, BELOW], lock_subnet)

    assert (first.subnet, second.subnet) == (TOP, BELOW)
    first.close()
    second.close()


def test_a_pool_that_was_let_go_can_be_claimed_again() -> None:
    claim_pool([TOP], lock_subnet).close()

    again = claim_pool([TOP], lock_subnet)

    assert again.subnet == TOP
    again.close()


def test_letting_go_twice_is_no_error() -> None:
    claim = claim_pool([TOP], lock_subnet)

    claim.close()
    claim.close()


def test_without_a_free_pool_the_error_names_those_tried_and_the_way_out() -> None:
    held = claim_pool([TOP], lock_subnet)

    with pytest.raises(PoolExhausted) as raised:
        claim_pool([TOP], lock_subnet)

    assert "127.219.0.0/16" in str(raised.value)
    assert "modules.edgeMesh.rootlessSubNet" in str(raised.value)
    held.close()


def test_a_process_that_is_killed_lets_its_pool_go() -> None:
    program = (
        "from ipaddress import IPv4Network\n"
        "from edgecore.modules.edgemesh.poolclaim import claim_pool, lock_subnet\n"
        f"claim = claim_pool([IPv4Network({str(TOP)!r})], lock_subnet)\n"
        "print('held', flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(PoolExhausted):
            claim_pool([TOP], lock_subnet)
        process.kill()
        process.wait()

    claim_pool([TOP], lock_subnet).close()


def test_a_pool_of_which_nobody_can_say_who_holds_it_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(ListenError, match=r"cannot listen on 127\.219\.0\.0/16"):
        lock_subnet(TOP)
