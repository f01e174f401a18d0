"""Mode intercept where others do as they like with rules, routes and interfaces, and where tools are missing."""

import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from interceptplace import (
    BRIDGE,
    FALLBACK,
    HIDDEN,
    HOST,
    MORE,
    OTHER,
    REFUSED,
    SUBNET,
    Place,
    kind,
    programs_of,
    until,
)

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]
LONG = os.environ.get("EDGECORE_TESTS") == "long"

DOCKER = """
table ip filter {
    chain FORWARD {
        type filter hook forward priority filter; policy drop;
        oifname "docker0" ct state related,established accept
        iifname "docker0" oifname != "docker0" accept
    }
}
table ip nat {
    chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local dnat to 172.17.0.9; }
    chain POSTROUTING {
        type nat hook postrouting priority srcnat;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
    }
}
"""
GO_RULES = f"""
*nat
:EDGE-MESH - [0:0]
-A PREROUTING -i docker0 -j EDGE-MESH
-A OUTPUT -o docker0 -j EDGE-MESH
-A EDGE-MESH -d {SUBNET} -p tcp -j DNAT --to-destination {BRIDGE}:40001
COMMIT
"""
GO_ROUTE = f"{SUBNET} via {BRIDGE}"


@pytest.fixture
def place(nets: Any, programs: Any, words: Any) -> Place:
    return Place(nets, programs, words)


def works(place: Place, *fake_ips: str) -> bool:
    return all(kind(net, fake_ip) == "open" for net in (place.host, place.box) for fake_ip in fake_ips)


def hide(place: Place, *paths: str) -> None:
    """Have files be nothing on the machine with the node."""
    for path in paths:
        place.host.run(["mount", "--bind", "/dev/null", path])


def command(place: Place, node: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    done: subprocess.CompletedProcess[str] = place.programs.run("edgecore", *words, "--config", node.config)
    return done


def keep_the_library_from_python(place: Place) -> None:
    """Have the loader find a file that is no library, but not for the program nft, which needs the real one."""
    folder = place.programs.directory("no-library")
    (folder / "libnftables.so.1").touch()
    nft = folder / "nft"
    nft.write_text(f'#!/bin/sh\nunset LD_LIBRARY_PATH\nexec {programs_of("nft")[0]} "$@"\n')
    nft.chmod(0o755)
    place.programs.prefix += ["env", f"LD_LIBRARY_PATH={folder}", f"PATH={folder}:{os.environ['PATH']}"]


@pytest.mark.parametrize("there", ["iptables", "nft", "libnftables"])
def test_a_machine_with_one_tool_alone_is_enough(place: Place, there: str) -> None:
    for tool, files in HIDDEN.items():
        if tool != there and (tool, there) != ("libnftables", "nft"):
            hide(place, *files())
    if there == "nft":
        keep_the_library_from_python(place)
    node = place.node(intercept__linger=0)
    fake_ip = place.serve(node)
    told = node.status()["mesh"]["intercept"]
    assert (told["tool"], told["owner"]) == (("nft", "iptables")[there == "iptables"], there == "libnftables")
    assert works(place, fake_ip)
    if there != "iptables":
        assert works(place, place.lines(node))
    node.stop(signal.SIGKILL)

    until(lambda: place.host.run(["ip", "route", "show", "root", SUBNET]).stdout == f"{FALLBACK}\n")
    for net in (place.host, place.box):
        assert kind(net, fake_ip) in REFUSED
    assert command(place, node, "intercept", "remove").returncode == 0
    assert command(place, node, "intercept", "status").returncode == 0
    assert SUBNET not in place.host.run(["ip", "route"]).stdout


def test_what_others_do_with_all_rules_does_not_reach_ours(place: Place) -> None:
    node = place.node()
    fake_ip, lines = place.serve(node), place.lines(node)

    place.host.run(["nft", "flush", "ruleset"])
    assert works(place, fake_ip, lines)
    place.host.run(["nft", "-f", "-"], input=DOCKER)
    assert works(place, fake_ip, lines)
    assert node.status()["mesh"]["intercept"]["state"] == "active"
    theirs = place.host.run(["nft", "list", "table", "ip", "nat"]).stdout
    node.stop()
    assert place.host.run(["nft", "list", "table", "ip", "nat"]).stdout == theirs


def test_an_interface_that_goes_down_and_comes_up_is_used_again(place: Place) -> None:
    node = place.node()
    fake_ip, lines = place.serve(node), place.lines(node)
    place.host.run(["ip", "link", "set", "docker0", "down"])
    node.wait_for("finding", lambda status: status["mesh"]["intercept"]["findings"])
    assert kind(place.host, fake_ip) in REFUSED
    place.host.run(["ip", "link", "set", "docker0", "up"])
    node.wait_for("repair", lambda status: status["mesh"]["intercept"]["state"] == "active")
    assert works(place, fake_ip, lines)


def test_rules_of_an_edgecore_in_go_that_are_left_do_no_harm_and_remove_takes_its_chain_out(place: Place) -> None:
    place.host.run(["iptables-restore", "--noflush"], input=GO_RULES)
    node = place.node()
    fake_ip, lines = place.serve(node), place.lines(node)
    assert works(place, fake_ip, lines)
    node.stop()
    done = command(place, node, "intercept", "remove")
    assert (done.returncode, "removed: iptables chain EDGE-MESH" in done.stdout) == (0, True), done
    assert place.added() == []


def test_the_route_of_an_edgecore_in_go_that_is_left_is_told_and_not_taken(place: Place) -> None:
    place.host.run(["ip", "route", "add", *GO_ROUTE.split()])
    node = place.programs.node(edgeMesh__mode="intercept")
    advice = f"ip route del {SUBNET} dev docker0"
    node.wait_for("advice", lambda status: advice in " ".join(status["reasons"]))
    assert FALLBACK not in place.rules()
    node.stop()

    for verb, code in (("remove", 0), ("status", 1)):
        done = command(place, node, "intercept", verb)
        assert (done.returncode, advice in done.stdout) == (code, True), done
    assert GO_ROUTE in place.rules()
    place.host.run(advice.split())
    node = place.node()
    assert works(place, place.serve(node))


def uncounted(rules: str) -> str:
    return re.sub(r"packets \d+ bytes \d+", "", rules)


def second(place: Place, **settings: Any) -> Any:
    """Start another node on the same machine, with another subnet."""
    wanted = {"mode": "intercept", "dns__intercept": False, "subNet": "9.252.0.0/16"} | settings
    how = {f"edgeMesh__{key}": value for key, value in wanted.items()}
    return place.programs.node("edge-2", cloud=place.cloud, **how)


def test_two_nodes_of_one_machine_serve_beside_each_other(place: Place) -> None:
    node = place.node()
    fake_ip = place.serve(node)
    other = second(place, intercept__interfaceAddress="169.254.96.17")
    other.wait_for("link", lambda status: status["link"].get("state") == "connected" and other.ready())
    place.cloud.send(*place.words.arrival("web", 80, (OTHER, 8080)), node="edge-2")
    theirs = other.service("web")["fake_ip"]
    assert theirs.startswith("9.252.")
    assert works(place, fake_ip, theirs)
    other.stop(signal.SIGKILL)
    until(lambda: place.rules().count("flags owner") == 1)
    assert kind(place.host, theirs) in REFUSED
    assert works(place, fake_ip)
    assert node.status()["mesh"]["intercept"]["repairs"] == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "another node of this machine has the address 169.254.96.16"),
        (
            {"intercept__tool": "iptables", "intercept__interfaceAddress": "169.254.96.17"},
            "another node of this machine has the chain EDGE-MESH of iptables",
        ),
    ],
)
def test_a_node_that_would_undo_what_another_made_does_not_begin(
    place: Place, settings: dict[str, str], told: str
) -> None:
    node = place.node(**{key: value for key, value in settings.items() if key == "intercept__tool"})
    fake_ip = place.serve(node)
    before = uncounted(place.rules())
    other = second(place, **settings)
    other.wait_for("reason", lambda status: told in " ".join(status["reasons"]))
    assert works(place, fake_ip)
    other.stop()
    assert uncounted(place.rules()) == before
    assert node.status()["mesh"]["intercept"]["repairs"] == 0


def test_explain_says_by_its_exit_code_too_that_routes_are_missing(place: Place) -> None:
    node = place.node(intercept__repair=False, intercept__createInterface=False)
    fake_ip, lines = place.serve(node), place.lines(node)
    done = command(place, node, "explain", "web:80")
    assert (done.returncode, "plane         the proxy\n" in done.stdout) == (0, True), done.stdout
    done = command(place, node, "explain", f"{lines}:80")
    assert (done.returncode, "plane         the kernel, by itself\n" in done.stdout) == (0, True), done.stdout

    place.host.run(["ip", "route", "flush", "table", "main"])
    node.wait_for("finding", lambda status: status["mesh"]["intercept"]["findings"])
    for asked in ("web", f"{lines}:80"):
        done = command(place, node, "explain", asked)
        assert done.returncode == 1, done.stdout
        assert f"there is no route to {SUBNET} by docker0" in done.stdout
    assert "would be refused or go astray" in done.stdout

    place.host.run(["ip", "link", "del", "docker0"])  # so that another keeper can make nothing
    place.host.run(["kill", "-9", str(node.status()["mesh"]["intercept"]["keeper"])])
    node.wait_for("end of the keeper", lambda status: "no interface" in status["mesh"]["intercept"]["problem"])
    done = command(place, node, "explain", f"{fake_ip}:80")
    assert (done.returncode, "there is no interface docker0" in done.stdout) == (1, True), done.stdout


def test_in_a_user_namespace_all_is_as_for_root(
    monkeypatch: pytest.MonkeyPatch, nets: Any, programs: Any, words: Any
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # what the namespaces of the test are made by
    place = Place(nets, programs, words)
    assert place.host.run(["cat", "/proc/self/uid_map"]).stdout.split()[2] == "1"
    node = place.node(intercept__linger=0)
    fake_ip, lines = place.serve(node), place.lines(node)
    assert works(place, fake_ip, lines)
    assert node.status()["mesh"]["intercept"]["owner"]
    node.stop(signal.SIGKILL)
    until(lambda: place.host.run(["ip", "route", "show", "root", SUBNET]).stdout == f"{FALLBACK}\n")
    for net in (place.host, place.box):
        assert kind(net, lines) in REFUSED


CHURN_S = 10 if LONG else 4
CONNECT = """
import collections, errno, select, socket, sys
heard = collections.Counter()
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        with socket.create_connection((sys.argv[1], 80), 5) as sock:
            heard[sock.recv(100).decode()] += 1
    except OSError as error:
        heard[errno.errorcode.get(error.errno, type(error).__name__)] += 1
print(sorted(heard), sum(heard.values()), flush=True)
"""


def test_no_connection_fails_while_the_cloud_changes_the_backends_a_hundred_times_a_second(place: Place) -> None:
    node = place.node()
    hosts = (OTHER, *MORE)
    fake_ip = place.lines(node, *hosts)
    clients = [
        net.spawn([sys.executable, "-c", CONNECT, fake_ip], stdin=-1, stdout=-1, text=True)
        for net in (place.host, place.box)
    ]
    assert [client.stdout.readline() for client in clients] == ["begun\n"] * 2
    began = time.monotonic()
    for second in range(1, CHURN_S + 1):
        place.cloud.send(*(place.change("lines", hosts[number % 3 :][: 1 + number % 2]) for number in range(100)))
        time.sleep(max(0.0, began + second - time.monotonic()))
    for client in clients:
        client.stdin.close()
        assert client.stdout.readline().startswith(str(sorted(hosts))), client


KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except ConnectionResetError:  # the listener ends at once what was not led to it
    print("open")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_another_machine_with_a_route_by_the_node_does_not_reach_what_listens_for_containers(
    place: Place, tool: str
) -> None:
    node = place.node(intercept__tool=tool)
    fake_ip = place.serve(node)
    for address in ("169.254.96.16", fake_ip):
        place.other.run(["ip", "route", "add", address, "via", HOST])
    status = node.status()["mesh"]
    ports = {one.rpartition(":")[2] for one in status["dns"]["listening"] if one.startswith("169.254.96.16")}
    ports.add(status["intercept"]["listener"].rpartition(":")[2])
    assert len(ports) == 2
    for port in ports:
        for net in (place.host, place.box):
            assert net.python(KNOCK, "169.254.96.16", port, "5").strip() == "open"
        assert place.other.python(KNOCK, "169.254.96.16", port, "0.5").strip() == "TimeoutError"
    assert works(place, fake_ip)
    assert kind(place.other, fake_ip) in REFUSED
