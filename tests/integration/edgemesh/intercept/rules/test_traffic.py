"""The rules with real packets, of the host and of containers: by the kernel, by the proxy, or refused."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.rules import iptables, nftables, routes
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, NameHijack, Spot, Spots, Target
from edgecore.modules.edgemesh.names import Endpoint
from interceptrig import DatagramTalker, InterceptRig, Talker
from netns import Nets

pytestmark = pytest.mark.namespaces("iptables-nft", "iptables-legacy")

LISTENER, DNS = Endpoint("169.254.96.16", 4000), Endpoint("169.254.96.16", 53)
LED, FAR, NEAR, HERE = (f"9.251.0.{number}" for number in range(1, 5))
BACKENDS = {LED: "", FAR: "10.0.0.2", NEAR: "172.17.0.2", HERE: "10.0.0.1"}
TRANSPORTS = ("tcp", "udp")
NAMES = NameHijack(("127.0.0.53", "8.8.8.8"), DNS)


def spots() -> Spots:
    """Return four spots for each transport: led; with a backend on the other machine, in a container, on the host."""
    all_spots = {Spot(address, 80, "tcp"): host for address, host in BACKENDS.items()}
    all_spots |= {Spot(address, 80, "udp"): host for address, host in BACKENDS.items()}
    kernel = {
        spot: Balanced((Target(number, Endpoint(host, 8080)),) if host else ())
        for number, (spot, host) in enumerate(all_spots.items())
    }
    return Spots(dict.fromkeys(all_spots, LISTENER), kernel, NAMES)


def served(rig: InterceptRig) -> None:
    rig.go_live()
    rig.serve(rig.host, *LISTENER, "proxy")
    rig.serve(rig.host, *DNS, "names")
    rig.serve(rig.machine, "10.0.0.2", 8080, "far")
    rig.serve(rig.box, "172.17.0.2", 8080, "near")
    rig.serve(rig.host, "10.0.0.1", 8080, "here")


PLACES = [(transport, address, 80) for transport, address in product(TRANSPORTS, BACKENDS)]
REFUSED = [("tcp", LED, 81), ("tcp", "9.251.9.9", 80), ("udp", LED, 81), ("udp", "9.251.9.9", 80)]
QUESTIONS = [("udp", "8.8.8.8", 53), ("tcp", "8.8.8.8", 53)]


def test_host_and_containers_get_backends_by_the_kernel_and_the_rest_is_refused_at_once(nets: Nets) -> None:
    rig = InterceptRig(nets)
    rig.host.sysctl("net.ipv4.conf.all.rp_filter", 1)  # strict: not even that is in the way
    served(rig)
    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()))

    ours = "169.254.96.16"
    assert rig.ask(rig.host, *PLACES) == [f"proxy {ours}", "far 10.0.0.1", "near 172.17.0.1", f"here {ours}"] * 2
    assert rig.ask(rig.host, *REFUSED) == ["ECONNREFUSED", "ECONNREFUSED", "EPERM", "EPERM"]
    hijacked = rig.ask(rig.host, *QUESTIONS, ("udp", "127.0.0.53", 53), ("tcp", "127.0.0.53", 53))
    assert hijacked == ["names 10.0.0.1"] * 2 + ["names 127.0.0.1"] * 2

    other = "172.17.0.3"
    assert rig.ask(rig.other, *PLACES[:2]) == [f"proxy {other}", "far 10.0.0.1"]
    assert rig.ask(rig.other, *REFUSED) == ["ECONNREFUSED"] * 4
    assert rig.ask(rig.other, *PLACES) == [f"proxy {other}", "far 10.0.0.1", "near 172.17.0.1", f"here {other}"] * 2
    assert rig.ask(rig.other, *QUESTIONS) == [f"names {other}"] * 2
    assert rig.ask(rig.host, ("icmp", LED, 0)) == ["EPERM"]
    assert rig.ask(rig.box, ("icmp", LED, 0)) == ["EHOSTUNREACH"]
    assert rig.ask(rig.box, ("tcp", NEAR, 80), ("udp", NEAR, 80)) == ["proxy 172.17.0.2"] * 2, "it is the backend"

    counted = nftables.read_counters(rig.listed(nftables.list_counters("edgecore_7")))
    assert {number: counted[number].connections for number in (1, 5)} == {1: 3, 5: 2}, "far: by the host, other twice"


def test_without_forwarding_containers_get_the_proxy_where_the_host_gets_the_kernel(nets: Nets) -> None:
    rig = InterceptRig(nets, forwards=False)
    served(rig)
    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()))
    assert rig.ask(rig.host, ("tcp", FAR, 80)) == ["far 10.0.0.1"]
    assert rig.ask(rig.other, *PLACES) == ["proxy 172.17.0.3"] * 8
    assert rig.ask(rig.other, *REFUSED) == ["ECONNREFUSED"] * 4
    assert rig.ask(rig.other, *QUESTIONS) == ["names 172.17.0.3"] * 2


def test_questions_that_carry_our_mark_go_where_they_are_sent(nets: Nets) -> None:
    rig = InterceptRig(nets)
    rig.serve(rig.machine, "10.0.0.2", 53, "upstream")
    rig.go_live()
    rig.serve(rig.host, *DNS, "names")
    names = NameHijack(("10.0.0.2",), DNS)
    rig.nft(nftables.create(rig.interception, owner=False, spots=Spots(names=names)))
    code = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, 36, int(sys.argv[1]))  # SO_MARK
client.settimeout(5)
client.sendto(b"?", ("10.0.0.2", 53))
print(client.recv(100).decode())
"""
    assert rig.host.python(code, "42") == "upstream 10.0.0.1\n"
    assert rig.host.python(code, "41") == "names 10.0.0.1\n"


def test_clients_stay_with_their_target_while_others_come_and_go_and_counters_go_on(nets: Nets) -> None:
    rig = InterceptRig(nets)
    rig.go_live()
    spot = Spot(FAR, 80, "tcp")
    targets = [Target(number, Endpoint("10.0.0.2", 8080 + number)) for number in range(4)]
    for number in range(4):
        rig.serve(rig.machine, "10.0.0.2", 8080 + number, str(number))

    def state(*numbers: int, sticky_s: float) -> Spots:
        return Spots({spot: LISTENER}, {spot: Balanced(tuple(targets[n] for n in numbers), sticky_s=sticky_s)})

    before = state(0, 1, 2, sticky_s=0)
    rig.nft(nftables.create(rig.interception, owner=False, spots=before))
    said = Counter(text.split()[0] for text in rig.ask(rig.host, *[("tcp", FAR, 80)] * 9))
    assert said == {"0": 3, "1": 3, "2": 3}

    after = state(0, 1, 2, sticky_s=600)
    rig.nft(nftables.change(rig.interception, before, after))
    mine = rig.ask(rig.host, *[("tcp", FAR, 80)] * 5)
    assert len(set(mine)) == 1
    kept = int(mine[0].split()[0])
    others = [number for number in range(4) if number != kept]
    for numbers in ((kept, others[0]), (*others, kept), (others[2], kept)):
        before, after = after, state(*numbers, sticky_s=600)
        rig.nft(nftables.change(rig.interception, before, after))
        assert rig.ask(rig.host, *[("tcp", FAR, 80)] * 3) == mine[:3]
    counted = nftables.read_counters(rig.listed(nftables.list_counters("edgecore_7")))
    assert counted[kept].connections == 3 + 5 + 9

    rig.nft(nftables.change(rig.interception, after, state(*others, sticky_s=600)))
    assert rig.ask(rig.host, ("tcp", FAR, 80)) != mine[:1]


def test_a_client_for_whom_there_is_no_room_in_the_memory_is_balanced_all_the_same(nets: Nets) -> None:
    rig = InterceptRig(nets)
    rig.go_live()
    rig.serve(rig.machine, "10.0.0.2", 8080, "far")
    spot = Spot(FAR, 80, "tcp")
    state = Spots({spot: LISTENER}, {spot: Balanced((Target(1, Endpoint("10.0.0.2", 8080)),), sticky_s=600)})
    text = nftables.create(rig.interception, owner=False, spots=state)
    rig.nft(text.replace("flags dynamic, timeout;", "flags dynamic, timeout; size 1;"))
    for net in (rig.host, rig.other, rig.box, rig.other):
        assert rig.ask(net, ("tcp", FAR, 80)) == ["far 10.0.0.1"]
    assert rig.listed("list set ip edgecore_7 kept-1").count('"val"') == 1


def test_every_new_connection_gets_a_target_while_targets_come_and_go(nets: Nets) -> None:
    rig = InterceptRig(nets)
    rig.go_live()
    spot = Spot(FAR, 80, "tcp")
    targets = [Target(number, Endpoint("10.0.0.2", 8080 + number)) for number in range(2)]
    for number in range(2):
        rig.serve(rig.machine, "10.0.0.2", 8080 + number, "far")
    states = [Spots({spot: LISTENER}, {spot: Balanced(tuple(targets[:count]))}) for count in (1, 2)]
    rig.nft(nftables.create(rig.interception, owner=False, spots=states[0]))
    with ThreadPoolExecutor(1) as clients:
        said = clients.submit(rig.ask, rig.host, *[("tcp", FAR, 80)] * 400)
        for _ in range(20):
            rig.nft(nftables.change(rig.interception, *states))
            rig.nft(nftables.change(rig.interception, *states[::-1]))
    assert Counter(said.result()) == {"far 10.0.0.1": 400}


def test_connections_of_the_kernel_plane_go_on_while_the_table_is_silent_and_new_ones_are_refused(nets: Nets) -> None:
    rig = InterceptRig(nets)
    served(rig)
    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()))
    talkers = [Talker(rig.host, FAR, 80), Talker(rig.other, FAR, 80), Talker(rig.other, NEAR, 80)]
    assert [talker.greeting for talker in talkers] == ["far 10.0.0.1", "far 10.0.0.1", "near 172.17.0.1"]

    rig.nft(nftables.silence(rig.interception))
    assert [talker.say("still here") for talker in talkers] == ["still here"] * 3
    assert rig.ask(rig.host, *PLACES[:4]) == ["ECONNREFUSED"] * 4
    assert rig.ask(rig.other, *PLACES[:4]) == ["ECONNREFUSED"] * 4

    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()).replace("edgecore_7", "edgecore_8"))
    rig.nft(nftables.delete("edgecore_7"))
    assert [talker.say("and here") for talker in talkers] == ["and here"] * 3
    assert rig.ask(rig.host, *PLACES[:2]) == ["proxy 169.254.96.16", "far 10.0.0.1"]


INSIDE = [(transport, *listener) for transport in TRANSPORTS for listener in (LISTENER, DNS)]


def route_of_a_neighbour(rig: InterceptRig) -> None:
    rig.machine.run(["ip", "route", "add", "169.254.96.16", "via", "10.0.0.1"])


def heard_by_a_neighbour(rig: InterceptRig) -> list[str]:
    return rig.ask(rig.machine, *INSIDE, patience_s=0.3)


def test_our_address_is_closed_to_other_machines_and_open_to_host_and_containers(nets: Nets) -> None:
    rig = InterceptRig(nets)
    served(rig)
    route_of_a_neighbour(rig)
    inside = ["proxy", "names"] * 2
    assert [said.split()[0] for said in heard_by_a_neighbour(rig)] == inside, "without rules it is open"

    old = DatagramTalker(rig.machine, *DNS)
    assert old.say("?") == "names 10.0.0.2"
    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()))
    assert heard_by_a_neighbour(rig) == ["timeout"] * 4
    assert old.say("?") == "timeout", "a flow that is older than the table"
    assert rig.ask(rig.host, *INSIDE) == [f"{name} 169.254.96.16" for name in inside]
    assert rig.ask(rig.other, *INSIDE) == [f"{name} 172.17.0.3" for name in inside]
    assert rig.ask(rig.host, ("tcp", FAR, 80), ("udp", FAR, 80)) == ["far 10.0.0.1"] * 2, "replies come in by there"

    rig.nft(nftables.silence(rig.interception))
    assert heard_by_a_neighbour(rig) == ["timeout"] * 4
    rig.nft(nftables.delete("edgecore_7") + nftables.stand_in(rig.interception, owner=False))
    assert heard_by_a_neighbour(rig) == ["timeout"] * 4


def test_with_nothing_left_but_the_fallback_a_connection_fails_at_once(nets: Nets) -> None:
    rig = InterceptRig(nets)
    served(rig)
    rig.nft(nftables.create(rig.interception, owner=False, spots=spots()))
    rig.nft(nftables.delete("edgecore_7"))
    rig.do(routes.drop_live(rig.interception))
    assert rig.ask(rig.host, ("tcp", FAR, 80), ("udp", FAR, 80)) == ["EHOSTUNREACH"] * 2
    assert rig.ask(rig.other, ("tcp", FAR, 80)) == ["EHOSTUNREACH"]


# An ordinary user may not read in /proc which tables the legacy variant has, not even in his own user namespace.
@pytest.mark.parametrize("variant", ["nft", pytest.param("legacy", marks=pytest.mark.needs_root)])
@pytest.mark.parametrize("forwards", [True, False])
def test_iptables_lead_to_the_proxy_and_refuse_the_rest(nets: Nets, variant: str, forwards: bool) -> None:
    rig = InterceptRig(nets, forwards=forwards)
    served(rig)
    i = rig.interception
    untouched = rig.host.run([f"iptables-{variant}-save"]).stdout.count("-A")

    def do(command: Command | None) -> str:
        assert command is not None
        program, *arguments = command.argv
        return rig.do(Command((program.replace("iptables", f"iptables-{variant}"), *arguments), command.stdin))

    do(iptables.create(i))
    do(iptables.change(i, Spots(), spots()))
    assert rig.ask(rig.host, *PLACES) == ["proxy 169.254.96.16"] * 8
    assert rig.ask(rig.other, *PLACES) == ["proxy 172.17.0.3"] * 8
    assert rig.ask(rig.host, *REFUSED) == ["ECONNREFUSED", "ECONNREFUSED", "EPERM", "EPERM"]
    assert rig.ask(rig.other, *REFUSED) == ["ECONNREFUSED"] * 4
    assert rig.ask(rig.other, *QUESTIONS) == ["names 172.17.0.3"] * 2
    assert rig.ask(rig.host, *QUESTIONS) == ["names 10.0.0.1"] * 2

    route_of_a_neighbour(rig)
    assert heard_by_a_neighbour(rig) == ["timeout"] * 4
    inside = ["proxy", "names"] * 2
    assert rig.ask(rig.host, *INSIDE) == [f"{name} 169.254.96.16" for name in inside]
    assert rig.ask(rig.other, *INSIDE) == [f"{name} 172.17.0.3" for name in inside]

    do(iptables.remove(do(iptables.save())))
    assert do(iptables.save()).count("-A") == untouched
    do(iptables.create(i, spots()))
    for command in iptables.remove_unseen(i):
        do(command)
    assert "EDGE-MESH" not in do(iptables.save())
