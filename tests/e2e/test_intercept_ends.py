"""However a node in mode intercept ends: nothing but the refusal is left, and what it had going goes on in the next."""

import os
import signal
from typing import Any

import pytest

from edgecore.modules.edgemesh.intercept.rules.routes import ADDRESS_LIFE_S
from interceptplace import FALLBACK, PATIENCE_S, REFUSED, Place, curl, kind, until

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]


@pytest.fixture
def place(nets: Any, programs: Any, words: Any) -> Place:
    return Place(nets, programs, words)


class Seen:
    """What a machine has: rules and routes, links, addresses, the bytes of resolv.conf."""

    def __init__(self, place: Place) -> None:
        self.rules = place.added()
        self.links = place.host.run(["ip", "-o", "link"]).stdout.splitlines()
        self.addresses = place.host.run(["ip", "-4", "-o", "address"]).stdout.splitlines()
        self.resolv_conf = place.host.run(["cat", "/etc/resolv.conf"]).stdout

    def is_left_of(self, before: "Seen", rules: list[str]) -> bool:
        """Say whether this is ``before`` and, of rules and routes, ``rules``."""
        return (self.rules, self.links, self.addresses, self.resolv_conf) == (
            rules,
            before.links,
            before.addresses,
            before.resolv_conf,
        )


def began_again(status: dict[str, Any]) -> bool:
    told = status["mesh"]["intercept"]
    return bool(told["state"] == "active" and told["keeper_restarts"] and told["keeper"])


def end_node(place: Place, node: Any, how: str) -> None:
    keeper = node.status()["mesh"]["intercept"]["keeper"]
    match how:
        case "SIGTERM" | "SIGINT" | "SIGKILL":
            node.process.send_signal(getattr(signal, how))
        case "group":
            assert os.getpgid(node.process.pid) == node.process.pid
            os.killpg(node.process.pid, signal.SIGKILL)
        case "keeper, then node":
            place.host.run(["kill", "-9", str(keeper)])
            node.wait_for("keeper", began_again)
            node.process.kill()
    node.ended()


@pytest.mark.parametrize(
    ("tool", "how"),
    [
        *(("nft", how) for how in ("SIGINT", "group", "keeper, then node")),
        *(("iptables", how) for how in ("SIGINT", "keeper, then node")),
    ],
)
def test_only_the_refusal_is_left_however_a_node_ends_and_remove_takes_that_too(
    place: Place, tool: str, how: str
) -> None:
    before = Seen(place)
    place.programs.prefix.append("setsid")
    node = place.node(intercept__tool=tool, traffic__workers=2, intercept__linger=0)
    place.programs.prefix.pop()
    fake_ip = place.serve(node)
    lines = place.lines(node) if tool == "nft" else place.serve(node, name="lines")
    assert curl(place.host, fake_ip) == "hello"

    end_node(place, node, how)

    until(lambda: Seen(place).is_left_of(before, [FALLBACK]))
    for net in (place.host, place.box):
        assert kind(net, fake_ip) in REFUSED
        assert kind(net, lines) in REFUSED
    done = place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
    assert done.returncode == 0, done.stderr
    assert Seen(place).is_left_of(before, [])


def test_a_connection_through_the_kernel_plane_moves_on_while_a_node_is_away_and_under_the_next(place: Place) -> None:
    node = place.node()
    fake_ip = place.lines(node)
    talkers = [place.talker(net, fake_ip) for net in (place.host, place.box)]
    assert [talker.say() for talker in talkers] == ["HELLO", "HELLO"]

    node.stop(signal.SIGKILL)
    assert [talker.say() for talker in talkers] == ["HELLO", "HELLO"]
    assert kind(place.host, fake_ip) in REFUSED
    told = place.programs.run("edgecore", "intercept", "status", "--config", node.config)
    assert (told.returncode, "s more, and goes by itself\nkept: nftables table" in told.stdout) == (0, True), told
    assert "left:" not in told.stdout

    again = place.node()
    again.service("lines")
    until(lambda: again.status()["mesh"]["intercept"]["balanced"])
    assert [talker.say() for talker in talkers] == ["HELLO", "HELLO"]
    assert kind(place.host, fake_ip) == kind(place.box, fake_ip) == "open"


def test_a_node_and_its_keeper_killed_together_leave_only_the_refusal_after_twenty_seconds(place: Place) -> None:
    """Nobody is left to do anything: the table goes with the keeper's socket, the live route with its address."""
    before = Seen(place)
    node = place.node()
    fake_ip = place.lines(node)
    place.host.run(["kill", "-9", str(node.status()["mesh"]["intercept"]["keeper"]), str(node.process.pid)])
    node.ended()
    assert "edgecore_" not in place.rules()
    until(lambda: Seen(place).is_left_of(before, [FALLBACK]), ADDRESS_LIFE_S + PATIENCE_S)
    for net in (place.host, place.box):
        assert kind(net, fake_ip) in REFUSED
