"""The keeper's promise, in network namespaces: however node and keeper end, no rule stays, and no connection breaks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import keepernode
from edgecore.modules.edgemesh.intercept.keeper.protocol import Ask, Bye, Command, Nft, TakeOver, Will
from endings import has_ended, wait_for_end

pytestmark = pytest.mark.namespaces

SUBNET = "9.251.0.0/16"
ROUTE = Command(("ip", "route", "add", SUBNET, "dev", "lo"))
NO_ROUTE = Command(("ip", "route", "del", SUBNET, "dev", "lo"))
FALLBACK = Command(("ip", "route", "replace", "unreachable", SUBNET, "metric", "65000"))


class Node:
    """A node in a namespace, with the keeper that it has started."""

    def __init__(self, net):
        self.net = net
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = net.spawn(
            [sys.executable, keepernode.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        started = self.hear()
        assert started["nft"] == "library"
        self.pid, self.keeper = started["node"], started["keeper"]
        self.table = f"edgecore_{self.keeper}"

    def hear(self):
        return json.loads(self._process.stdout.readline())

    def tell(self, message):
        """Have it do something, and return what came of it."""
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")
        self._process.stdin.flush()
        return self.hear()

    def do(self, *messages):
        for message in messages:
            heard = self.tell(message)
            assert "done" in heard, heard
        return heard["done"]

    def create(self, rules="", *, flags="flags owner;"):
        self.do(Ask(1, (Nft(f"table ip {self.table} {{ {flags} chain c {{ {NAT} {rules}; }}; }}"),)))

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()

    def silence(self):
        """Return what leaves one chain of NAT, and conntrack: without a rule that names it, the kernel stops it too."""
        return Nft(f"flush chain ip {self.table} c\nadd rule ip {self.table} c ct status dnat accept\n")


NAT = "type nat hook output priority -110; policy accept;"


def tables(net):
    return net.run(["nft", "list", "tables"]).stdout


def routes(net):
    return net.run(["ip", "route", "show", SUBNET]).stdout


def test_when_the_node_is_killed_the_table_is_gone_and_the_will_is_done(nets):
    net = nets.make()
    node = Node(net)
    node.do(Will(at_once=(NO_ROUTE,)), Ask(1, (FALLBACK, ROUTE)))
    node.create("ip daddr 9.251.0.1 tcp dport 80 dnat to 127.0.0.1:8080")
    assert node.table in tables(net)
    assert "dev lo" in routes(net)
    node.kill()
    wait_for_end(node.keeper)
    assert tables(net) == ""
    assert routes(net).split() == f"unreachable {SUBNET} metric 65000".split()


def test_when_the_keeper_is_killed_the_kernel_takes_the_table_and_the_node_is_told(nets):
    net = nets.make()
    node = Node(net)
    node.create()
    os.kill(node.keeper, signal.SIGKILL)
    assert node.hear() == {"ended": node.keeper, "code": -signal.SIGKILL}
    assert tables(net) == ""
    assert node.tell(Ask(1, ()))["reason"] == "keeper_gone"


def test_when_both_are_killed_the_kernel_takes_the_table(nets):
    net = nets.make()
    node = Node(net)
    node.create()
    os.kill(node.keeper, signal.SIGSTOP)
    node.kill()
    os.kill(node.keeper, signal.SIGKILL)
    wait_for_end(node.keeper)
    assert tables(net) == ""


def test_a_goodbye_leaves_no_rule_and_no_process(nets):
    net = nets.make()
    node = Node(net)
    node.do(Will(at_once=(NO_ROUTE,), linger_s=100), Ask(1, (ROUTE,)))
    node.create()
    node.do(Bye(linger=False))
    assert has_ended(node.keeper)
    assert (tables(net), routes(net)) == ("", "")


def test_what_a_terminal_sends_to_the_nodes_processes_does_not_reach_the_keeper(nets):
    net = nets.make()
    node = Node(net)
    node.create()
    os.killpg(os.getpgid(node.pid), signal.SIGINT)
    assert node.do(Ask(1, (Command(("echo", "on")),))) == "on\n"
    assert os.getpgid(node.keeper) == node.keeper


def test_nobody_else_can_change_the_table_and_a_flush_of_everything_leaves_it(nets):
    net = nets.make()
    node = Node(net)
    node.create("ip daddr 9.251.0.1 drop")
    for command in (f"flush table ip {node.table}", f"delete table ip {node.table}"):
        assert "not permitted" in net.run(["nft", command], check=False).stderr
    net.run(["nft", "flush ruleset"])
    assert "9.251.0.1" in net.run(["nft", "list", "ruleset"]).stdout


def test_a_transaction_is_done_whole_or_not_at_all_and_the_words_of_nft_are_told(nets):
    net = nets.make()
    node = Node(net)
    node.create()
    text = f"add chain ip {node.table} other\nadd rule ip {node.table} other jump nowhere\n"
    heard = node.tell(Ask(1, (Nft(text),)))
    assert heard["reason"] == "refused"
    assert "No such file or directory" in heard["text"]
    assert "other" not in net.run(["nft", "list", "ruleset"]).stdout


def test_lists_are_json_where_that_is_asked_for_and_text_where_it_is_not(nets):
    node = Node(nets.make())
    node.create("counter")
    found = json.loads(node.do(Ask(1, (Nft(f"list chain ip {node.table} c", json=True),))))
    assert [next(iter(each)) for each in found["nftables"]] == ["metainfo", "chain", "rule"]
    assert node.do(Ask(1, (Nft(f"list table ip {node.table}"),))).startswith(f"table ip {node.table} {{ # progname ")


def test_a_mistake_of_nft_with_tables_as_json_does_not_end_the_keeper(nets):
    net = nets.make()
    node = Node(net)
    node.create("counter")
    for _ in range(50):
        node.tell(Ask(1, (Nft(f"list table ip {node.table}", json=True),)))
    assert node.table in tables(net)


def test_the_table_outlives_changes_that_others_make_while_it_is_listed(nets):
    net = nets.make()
    node = Node(net)
    node.create("counter")
    busy = net.spawn(
        ["sh", "-c", "while nft 'add table ip x { chain c { counter; }; }; delete table ip x'; do :; done"]
    )
    for number in range(300):
        change = Nft(f"add chain ip {node.table} c{number}\nlist table ip {node.table}")
        assert f"c{number}" in node.do(Ask(1, (change,)))
    assert busy.poll() is None
    assert node.table in tables(net)


def test_without_the_flag_the_will_takes_the_table_away(nets):
    net = nets.make()
    node = Node(net)
    node.do(Will(at_last=(Nft(f"delete table ip {node.table}"),)))
    node.create(flags="")
    node.kill()
    wait_for_end(node.keeper)
    assert tables(net) == ""


def test_without_privileges_the_reason_is_that(nets):
    net = nets.make()
    path = os.pathsep.join(entry for entry in sys.path if entry)
    code = (
        "from edgecore.modules.edgemesh.intercept.keeper.libnftables import Library, Program\n"
        "for way in (Library(), Program('/usr/sbin/nft')): print(way.run('add table ip t', json=False).reason)"
    )
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", code]
    said = net.run(command, env={**os.environ, "PYTHONPATH": path}).stdout
    assert said.split() == ["no_permission", "no_permission"]


class Chat:
    """A TCP connection out of a namespace, to an address that the rules know."""

    def __init__(self, net):
        code = (
            "import socket, sys\n"
            "peer = socket.create_connection(('9.251.0.1', 80), 20)\n"
            "print('connected', flush=True)\n"
            "for line in sys.stdin:\n"
            "    peer.sendall(line.encode())\n"
            "    print(peer.recv(100).decode(), end='', flush=True)\n"
        )
        self._client = net.spawn([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._client.stdout.readline() == "connected\n"

    def says(self, word):
        self._client.stdin.write(f"{word}\n")
        self._client.stdin.flush()
        return self._client.stdout.readline() == f"{word}\n"


ECHO = (
    "import socket\n"
    "server = socket.create_server(('10.1.0.2', 8080))\n"
    "print('listens', flush=True)\n"
    "peer, _ = server.accept()\n"
    "while data := peer.recv(100): peer.sendall(data)\n"
)


@pytest.fixture
def lan(nets):
    """A namespace for nodes, joined to one in which a backend listens."""
    net, other = nets.make("node"), nets.make("backend")
    nets.join(net, other, "10.1.0.1/24", "10.1.0.2/24")
    server = other.spawn([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listens\n"
    net.run(["ip", "route", "add", SUBNET, "dev", "lo"])
    return net


DNAT = "ip daddr 9.251.0.1 tcp dport 80 dnat to 10.1.0.2:8080"


@pytest.mark.parametrize("killed", [True, False])
def test_a_connection_goes_on_while_the_keeper_lingers_and_after_another_has_taken_over(lan, killed):
    old = Node(lan)
    old.do(Will(at_once=(old.silence(),), linger_s=100, at_last=(NO_ROUTE,)))
    old.create(DNAT)
    assert old.do(TakeOver(1, SUBNET)) is False
    chat = Chat(lan)
    assert chat.says("before")

    if killed:
        old.kill()
        while "dnat to" in lan.run(["nft", "list", "ruleset"]).stdout:
            pass
    else:
        old.do(Bye(linger=True))
    assert not has_ended(old.keeper)
    assert "dnat to" not in lan.run(["nft", "list", "ruleset"]).stdout
    assert chat.says("while it lingers")

    new = Node(lan)
    new.create(DNAT)
    assert new.do(TakeOver(1, SUBNET)) is True
    assert tables(lan) == f"table ip {new.table}\n"
    wait_for_end(old.keeper)
    assert "dev lo" in routes(lan)  # the rest of the will of the first was not done
    assert chat.says("after")


def test_a_node_that_comes_while_the_first_part_of_the_will_is_done_takes_over(lan):
    old = Node(lan)
    busy = Command(("sleep", "0.5"))
    old.do(Will(at_once=(busy, old.silence()), linger_s=100, at_last=(NO_ROUTE,)))
    old.create(DNAT)
    old.do(TakeOver(1, SUBNET))
    chat = Chat(lan)
    assert chat.says("before")
    old.kill()
    new = Node(lan)
    new.create(DNAT)
    assert new.do(TakeOver(1, SUBNET)) is True
    assert tables(lan) == f"table ip {new.table}\n"
    assert chat.says("after")


def test_a_keeper_takes_nothing_over_from_one_whose_node_lives(lan):
    first, second = Node(lan), Node(lan)
    first.do(Will(linger_s=100), TakeOver(1, SUBNET))
    heard = second.tell(TakeOver(1, SUBNET))
    assert heard["reason"] == "in_use"
    assert f"a node that runs (pid {first.pid})" in heard["text"]
    first.do(Bye(linger=False))
    assert second.do(TakeOver(1, SUBNET)) is False


def test_a_table_without_the_flag_goes_at_the_succession(lan):
    old = Node(lan)
    delete = Nft(f"delete table ip {old.table}")
    old.do(Will(at_once=(old.silence(),), linger_s=100, at_last=(delete, NO_ROUTE), at_succession=(delete,)))
    old.create(flags="")
    old.do(TakeOver(1, SUBNET), Bye(linger=True))
    new = Node(lan)
    new.create()
    assert new.do(TakeOver(1, SUBNET)) is True
    assert tables(lan) == f"table ip {new.table}\n"
    assert "dev lo" in routes(lan)


def test_the_end_of_the_linger_leaves_nothing(lan):
    node = Node(lan)
    node.do(Will(at_once=(node.silence(),), linger_s=0.1, at_last=(NO_ROUTE,)))
    node.create(DNAT)
    node.kill()
    wait_for_end(node.keeper)
    assert (tables(lan), routes(lan)) == ("", "")


def test_a_keeper_that_lingers_knows_nothing_of_the_nodes_files(lan):
    node = Node(lan)
    node.do(Will(linger_s=100), Bye(linger=True))
    files = {str(entry.readlink()).partition(":")[0] for entry in Path(f"/proc/{node.keeper}/fd").iterdir()}
    assert files <= {"/dev/null", "socket"}
    assert Path(f"/proc/{node.keeper}/cwd").readlink() == Path("/")
    os.kill(node.keeper, signal.SIGTERM)
    wait_for_end(node.keeper)
