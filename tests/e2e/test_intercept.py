"""Mode intercept with a whole node: fake IPs reach backends by rules of the kernel, and the rules go with the node."""

import json
import re
import signal
import sys
from typing import Any

import pytest

from interceptplace import (
    ASK_UDP,
    BRIDGE,
    FALLBACK,
    OTHER,
    REFUSED,
    SUBNET,
    Place,
    curl,
    dial,
    kind,
    until,
)

pytestmark = pytest.mark.namespaces

GO_ON_ASKING = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(0.3)
sock.connect((sys.argv[1], 80))
for _ in sys.stdin:
    try:
        sock.send(b"hello")
        print(sock.recv(2048).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


@pytest.fixture
def place(nets: Any, programs: Any, words: Any) -> Place:
    return Place(nets, programs, words)


@pytest.mark.parametrize("tool", ["nft", "iptables"])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_host_and_a_container_reach_a_service_by_its_fake_ip(place: Place, tool: str, workers: int) -> None:
    node = place.node(intercept__tool=tool, traffic__workers=workers)
    fake_ip = place.serve(node)
    assert fake_ip.startswith("9.251.")
    for net in (place.host, place.box):
        for _ in range(4):
            assert curl(net, fake_ip) == "hello"
        assert dial(net, fake_ip, 81) == "refused"
        assert dial(net, "9.251.200.7") == "refused"
    told = node.status()["mesh"]["intercept"]
    assert (told["state"], told["tool"], told["interface"], told["led"]) == ("active", tool, "docker0", 1)


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_datagrams_reach_a_service_by_its_fake_ip(place: Place, tool: str) -> None:
    node = place.node(intercept__tool=tool, intercept__kernelPlane=False, traffic__workers=2)
    fake_ip = place.serve(node, "UDP")
    for net in (place.host, place.box):
        assert net.python(ASK_UDP, fake_ip, "80").strip() == "HELLO"


@pytest.mark.parametrize("kernel_plane", [True, False])
def test_a_client_of_datagrams_that_never_rests_is_served_by_the_next_node_too(
    place: Place, kernel_plane: bool
) -> None:
    node = place.node(intercept__kernelPlane=kernel_plane)
    fake_ip = place.serve(node, "UDP")
    clients = [
        net.spawn([sys.executable, "-c", GO_ON_ASKING, fake_ip], stdin=-1, stdout=-1, text=True)
        for net in (place.host, place.box)
    ]

    def served() -> bool:
        for client in clients:
            client.stdin.write("\n")
            client.stdin.flush()
        return [client.stdout.readline() for client in clients] == ["HELLO\n"] * 2

    until(served)
    node.stop(signal.SIGKILL)
    for _ in range(5):
        served()
    place.node(intercept__kernelPlane=kernel_plane)
    until(served)


@pytest.mark.parametrize("tool", ["nft", "iptables"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_the_end_of_the_node_no_rule_is_left_and_fake_ips_are_refused_at_once(
    place: Place, tool: str, number: int
) -> None:
    node = place.node(intercept__tool=tool)
    fake_ip = place.serve(node)
    assert curl(place.host, fake_ip) == "hello"
    node.stop(number)

    until(lambda: place.added() == [FALLBACK])
    assert dial(place.host, fake_ip) == "refused"
    assert dial(place.box, fake_ip) == "refused"

    again = place.node(intercept__tool=tool)
    assert again.service("web")["fake_ip"] == fake_ip
    assert curl(place.host, fake_ip) == curl(place.box, fake_ip) == "hello"


def test_routes_and_addresses_that_somebody_takes_away_are_put_back(place: Place) -> None:
    node = place.node()
    fake_ip = place.serve(node)
    for command in (
        f"ip route del {SUBNET} dev docker0",
        f"ip route del unreachable {SUBNET}",
        "ip addr del 169.254.96.16/32 dev docker0",
    ):
        place.host.run(command.split())
        repairs = node.status()["mesh"]["intercept"]["repairs"]
        node.wait_for("repair", lambda status, n=repairs: status["mesh"]["intercept"]["repairs"] > n)
        assert curl(place.host, fake_ip) == "hello"
    assert len(node.lines("intercept_rule_missing")) >= 3
    assert node.status()["mesh"]["intercept"]["state"] == "active"


def test_rules_of_iptables_that_somebody_takes_away_are_put_back(place: Place) -> None:
    node = place.node(intercept__tool="iptables")
    fake_ip = place.serve(node)
    place.host.run(["iptables", "-t", "nat", "-F"])
    node.wait_for("repair", lambda status: status["mesh"]["intercept"]["repairs"])
    assert curl(place.host, fake_ip) == "hello"


def test_without_repair_it_is_only_said(place: Place) -> None:
    node = place.node(intercept__repair=False)
    place.host.run(["ip", "route", "del", SUBNET, "dev", "docker0"])
    told = node.wait_for("finding", lambda status: status["mesh"]["intercept"]["findings"] and status)
    assert told["mesh"]["intercept"]["state"] == "degraded"
    assert told["state"] == "degraded"
    assert "9.251.0.0/16" in " ".join(told["reasons"])
    assert f"{SUBNET} dev" not in place.rules()


def test_an_interface_that_goes_and_comes_back_is_used_again(place: Place) -> None:
    node = place.node()
    fake_ip = place.serve(node)
    place.host.run(["ip", "link", "del", "docker0"])
    node.wait_for("finding", lambda status: status["mesh"]["intercept"]["findings"])
    assert dial(place.host, fake_ip) == "refused"
    place.host.bridge("docker0", f"{BRIDGE}/16")
    node.wait_for("repair", lambda status: status["mesh"]["intercept"]["state"] == "active")
    assert curl(place.host, fake_ip) == "hello"


def test_a_keeper_that_is_killed_is_started_again_with_all_rules(place: Place) -> None:
    node = place.node()
    fake_ip = place.serve(node)
    keeper = node.status()["mesh"]["intercept"]["keeper"]
    place.host.run(["kill", "-9", str(keeper)])
    told = node.wait_for(
        "keeper",
        lambda status: (one := status["mesh"]["intercept"])["state"] == "active" and one["keeper_restarts"] and one,
    )
    assert told["keeper"] != keeper
    assert curl(place.host, fake_ip) == curl(place.box, fake_ip) == "hello"


def test_an_interface_is_made_where_there_is_none_and_taken_away_at_the_end(place: Place) -> None:
    place.host.run(["ip", "link", "del", "docker0"])
    before = place.host.run(["ip", "-o", "link"]).stdout
    node = place.node()
    fake_ip = place.serve(node)
    told = node.status()["mesh"]["intercept"]
    assert (told["interface"], told["made"]) == ("edgemesh0", True)
    assert curl(place.host, fake_ip) == "hello"
    node.stop(signal.SIGKILL)
    until(lambda: place.host.run(["ip", "-o", "link"]).stdout.count("\n") == before.count("\n"))


def test_an_interface_that_was_made_stays_for_who_has_given_it_an_address(place: Place) -> None:
    place.host.run(["ip", "link", "del", "docker0"])
    node = place.node(listenInterface="docker0")
    assert node.status()["mesh"]["intercept"]["made"] is True
    place.host.run(["ip", "addr", "add", f"{BRIDGE}/16", "dev", "docker0"])
    until(lambda: node.status()["mesh"]["intercept"]["made"] is False)
    node.stop()
    # As of a node that was killed before it could see it.
    place.host.run(["ip", "link", "set", "dev", "docker0", "alias", "made by edgecore"])
    told = place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
    assert told.returncode == 0, told.stderr
    shown = place.host.run(["ip", "-details", "-o", "address", "show", "dev", "docker0"]).stdout
    assert f"{BRIDGE}/16" in shown
    assert "169.254" not in shown
    assert "made by" not in place.host.run(["ip", "link", "show", "dev", "docker0"]).stdout


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_remove_leaves_no_rule_but_fake_ips_refused_and_apply_puts_them_back(place: Place, tool: str) -> None:
    node = place.node(intercept__tool=tool)
    fake_ip = place.serve(node)
    done = place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
    assert done.returncode == 0, done.stderr
    assert "left      the route by which they are refused" in done.stdout
    assert place.added() == [FALLBACK]
    for net in (place.host, place.box):
        assert kind(net, fake_ip) in REFUSED
    assert place.programs.run("edgecore", "intercept", "status", "--config", node.config).returncode == 1
    assert node.status()["state"] == "degraded"

    done = place.programs.run("edgecore", "intercept", "apply", "--config", node.config)
    assert done.returncode == 0, done.stderr
    until(lambda: curl(place.host, fake_ip) == "hello")
    assert place.programs.run("edgecore", "intercept", "status", "--config", node.config).returncode == 0

    for _ in range(2):  # while it runs, and when it has ended
        done = place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
        assert (done.returncode, place.added()) == (0, [FALLBACK] if node.process.poll() is None else []), done
        node.stop()


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_without_a_node_remove_takes_away_what_one_left(place: Place, tool: str) -> None:
    node = place.node(intercept__tool=tool, intercept__linger=60)
    keeper = node.status()["mesh"]["intercept"]["keeper"]
    place.host.run(["kill", "-9", str(keeper), str(node.process.pid)])
    node.ended()
    left = place.added()
    assert f"{SUBNET} dev docker0 proto 251 scope link src 169.254.96.16 " in left

    told = place.programs.run("edgecore", "intercept", "status", "--config", node.config)
    assert (told.returncode, "left: route" in told.stdout) == (1, True)
    done = place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
    assert done.returncode == 0, done.stderr
    assert place.added() == []
    assert "169.254.96.16" not in place.host.run(["ip", "addr"]).stdout
    told = place.programs.run("edgecore", "intercept", "status", "--config", node.config)
    assert told.returncode == 0, told.stdout
    assert place.programs.run("edgecore", "intercept", "apply", "--config", node.config).returncode == 1


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_the_plan_is_what_is_done(place: Place, tool: str) -> None:
    """The lines of the plan, run by a shell, make what the node makes."""
    node = place.node(intercept__tool=tool)
    place.serve(node)
    told = place.programs.run("edgecore", "intercept", "plan", "--config", node.config)
    assert told.returncode == 0, told.stderr
    made, table = place.rules(), node.status()["mesh"]["intercept"]["table"]
    node.stop()
    place.programs.run("edgecore", "intercept", "remove", "--config", node.config)
    start = told.stdout.partition("# when the node has ended")[0].replace("flags owner;", "").replace("{  }", "")
    place.host.run(["sh", "-e"], input=start)
    assert table in made or tool == "iptables"
    assert of_ours(place.rules()) == of_ours(made)


def of_ours(rules: str) -> list[str]:
    """Return the lines without counts and flags, sorted."""
    lines = (
        re.sub(r"counter packets \d+ bytes \d+|# (progname|handle).*", "", line).strip() for line in rules.splitlines()
    )
    return sorted(line for line in lines if line not in ("", "}", "flags owner"))


def test_the_listener_serves_only_connections_that_were_led_to_it(place: Place) -> None:
    node = place.node()
    place.serve(node)
    host, _, port = node.status()["mesh"]["intercept"]["listener"].rpartition(":")
    assert host == "169.254.96.16"
    assert curl(place.host, host, int(port)).startswith("curl:")
    assert node.status()["mesh"]["proxy"]["errors"]["unknown_destination"] == 1


def test_the_kernel_serves_datagrams_by_itself_and_people_are_told(place: Place) -> None:
    node = place.node()
    fake_ip = place.serve(node, "UDP")

    def port() -> dict[str, Any]:
        run = place.programs.run("edgecore", "services", "web", "--config", node.config, "--output", "json")
        told: dict[str, Any] = json.loads(run.stdout)["ports"][0]
        return told

    until(lambda: port()["plane"] == "kernel")
    for net in (place.host, place.box):
        assert net.python(ASK_UDP, fake_ip, "80").strip() == "HELLO"
    until(lambda: port()["requests"] == 2)
    assert (port()["backends"][0]["requests"], port()["plane_reason"]) == (2, None)
    status = node.status()["mesh"]
    assert status["intercept"]["kernel"]["ports"] == 1
    assert status["proxy"]["requests"]["default/web:80"]["endpoints"] == {f"{OTHER}:8080": 2}


def test_what_explain_says_is_what_a_request_gets(place: Place) -> None:
    node = place.node()
    served = place.serve(node)
    ports = [("http", 81), ("tcp-x", 82)]
    place.cloud.send(place.words.put(place.words.service("empty", *ports)), place.words.pods("empty", None))
    empty = node.service("empty")["fake_ip"]
    balanced = place.words.arrival("db", 80, (OTHER, 8080))
    balanced[0]["content"]["spec"]["ports"][0]["name"] = "tcp-x"
    place.cloud.send(*balanced)
    db = node.service("db")["fake_ip"]
    node.wait_for("kernel plane", lambda status: status["mesh"]["intercept"]["kernel"]["ports"] == 1)
    wanted = [
        (served, 80, "answered", "hello"),
        (db, 80, "answered", "hello"),
        (empty, 81, "no_pods", "cannot reach"),
        (empty, 82, "no_pods", "curl: "),  # accepted, and closed
        (empty, 83, "port_not_in_service", "curl: 7"),  # refused
        ("9.251.77.77", 80, "no_such_service", "curl: 7"),
    ]

    def verdict(address: str, port: int) -> dict[str, Any]:
        (found,) = node.control.get("/v1/explain", {"what": f"http://{address}:{port}/"})["verdicts"]
        return dict(found)

    for address, port, word, outcome in wanted:
        told = verdict(address, port)
        assert (told["word"], told["works"]) == (word, outcome == "hello")
        for net in (place.host, place.box):
            assert curl(net, address, port).startswith(outcome), (address, port, net)

    node.control.post("/v1/intercept/remove", None)
    for address, port in ((served, 80), (db, 80)):
        assert verdict(address, port)["word"] == "port_not_bound"
        assert curl(place.host, address, port) == "curl: 7"
