"""What the kernel makes of the texts and commands, and what is found in it."""

import asyncio
import random

import msgspec
import pytest

from edgecore.modules.edgemesh.intercept.rules import findings, iptables, nftables, routes
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spots
from edgecore.modules.edgemesh.names import Endpoint
from interceptions import INTERCEPTION, NAMES, OURS, SPOTS, target
from netns import Net, Nets

pytestmark = pytest.mark.namespaces("iptables")

TABLE = INTERCEPTION.table


def any_state(chance: random.Random) -> Spots:
    led = {spot: Endpoint(OURS, chance.randrange(4000, 4003)) for spot in SPOTS if chance.random() < 0.8}
    kernels = {
        spot: Balanced(
            tuple(target(spot, number) for number in chance.sample(range(5), chance.randrange(5))),
            chance.choice(("random", "round_robin")),
            chance.choice((0.0, 60.0, 600.0)),
        )
        for spot in led
        if chance.random() < 0.8
    }
    return Spots(led, kernels, NAMES if chance.random() < 0.5 else None)


def nft(net: Net, text: str) -> None:
    net.run(["nft", "--file", "-"], input=text)


def listed(net: Net, text: str) -> str:
    return net.run(["nft", "--json", text]).stdout


def things(net: Net, table: str) -> list[str]:
    """Return everything in a table, as text without handles, in an order of its own but for the rules of a chain."""
    entries = msgspec.json.decode(listed(net, nftables.list_table(table)))["nftables"]
    texts = []
    for place, entry in enumerate(entries):
        ((kind, value),) = entry.items()
        if kind in ("metainfo", "table"):
            continue
        del value["handle"]
        value["table"] = ""
        if kind == "map":
            value["elem"] = sorted(value.get("elem", []), key=str)
        order = f"{place:06}" if kind == "rule" else ""
        texts.append(f"{kind} {value.get('chain', '')} {order}{value}")
    return [text.replace(text.split(" ")[2][:6], "", 1) if text.startswith("rule") else text for text in sorted(texts)]


@pytest.mark.parametrize("seed", range(4))
def test_changes_one_after_the_other_make_what_is_made_at_once_and_nothing_is_found(nets: Nets, seed: int) -> None:
    net, chance = nets.make(), random.Random(seed)
    before = any_state(chance)
    nft(net, nftables.create(INTERCEPTION, owner=False, spots=before))
    for number in range(12):
        after = any_state(chance)
        nft(net, nftables.change(INTERCEPTION, before, after))
        before = after
        if number % 4:
            continue
        fresh = msgspec.structs.replace(INTERCEPTION, table="edgecore_8")
        nft(net, nftables.create(fresh, owner=False, spots=after))
        assert things(net, TABLE) == things(net, "edgecore_8")
        nft(net, nftables.delete("edgecore_8"))
        assert findings.in_table(INTERCEPTION, after, listed(net, nftables.list_table(TABLE))) == ()


def test_what_others_do_to_a_table_without_an_owner_is_found(nets: Nets) -> None:
    net, state = nets.make(), any_state(random.Random(7))
    nft(net, nftables.create(INTERCEPTION, owner=False, spots=state))
    nft(net, f"flush chain ip {TABLE} output\nadd rule ip {TABLE} refuse accept\nflush map ip {TABLE} led\n")
    nft(net, f"add element ip {TABLE} led {{ 9.251.7.7 . tcp . 1 : 10.0.0.1 . 1 }}\nadd chain ip {TABLE} theirs\n")
    found = findings.in_table(INTERCEPTION, state, listed(net, nftables.list_table(TABLE)))
    assert [(one.word, one.what) for one in found] == [
        ("foreign", "chain"),
        ("foreign", "rule"),
        ("missing", "rule"),
        *[("missing", "spot")] * len(state.led),
        ("foreign", "spot"),
    ]


def test_a_text_that_the_kernel_refuses_changes_nothing(nets: Nets) -> None:
    net = nets.make()
    nft(net, nftables.create(INTERCEPTION, owner=False))
    there = things(net, TABLE)
    led = Spots({SPOTS[0]: Endpoint(OURS, 4000)})
    text = nftables.change(INTERCEPTION, Spots(), led) + nftables.delete("edgecore_99")
    assert net.run(["nft", "--file", "-"], input=text, check=False).returncode != 0
    assert things(net, TABLE) == there


async def test_when_nobody_renews_the_address_the_live_route_goes_and_the_fallback_answers(nets: Nets) -> None:
    net, i = nets.make(), msgspec.structs.replace(INTERCEPTION, interface="edgemesh0")

    def found() -> list[tuple[str, str]]:
        addresses = net.run(routes.list_addresses(i.interface).argv).stdout
        told = findings.on_interface(i, addresses) + findings.in_routes(
            i, net.run(routes.list_routes(i.subnet).argv).stdout
        )
        return [(one.word, one.what) for one in told]

    for command in (*routes.make_interface(i.interface, "bridge"), routes.hold_address(i), routes.hold_address(i, 2)):
        net.run(command.argv)
    assert found() == [("missing", "route"), ("missing", "fallback")]
    for command in (routes.go_live(i), routes.fall_back(i.subnet), routes.go_live(i), routes.fall_back(i.subnet)):
        net.run(command.argv)
    assert found() == []
    async with asyncio.timeout(30):
        while found() != [("missing", "address"), ("missing", "route")]:
            await asyncio.sleep(0.1)
    code = """
import socket
try:
    socket.create_connection(("9.251.0.1", 80), 20)
except OSError as error:
    print(error.strerror)
"""
    assert net.python(code) == "No route to host\n"


def test_what_is_made_is_unmade_and_a_second_time_does_no_harm(nets: Nets) -> None:
    net, i = nets.make(), msgspec.structs.replace(INTERCEPTION, interface="edgemesh0")
    look = ["sh", "-c", "ip -o link show; ip -o address show; ip route show table all"]
    before = net.run(look).stdout
    for command in (
        *routes.make_interface(i.interface, "bridge"),
        routes.hold_address(i),
        routes.fall_back(i.subnet),
        routes.go_live(i),
    ):
        net.run(command.argv)
    assert net.run(look).stdout != before
    undoing = (
        routes.drop_live(i),
        routes.drop_address(i),
        routes.drop_fall_back(i.subnet),
        routes.delete_interface("edgemesh0"),
    )
    for command in (*undoing, *undoing):
        net.run(command.argv, check=False)
    assert net.run(look).stdout == before


def test_what_others_do_to_our_chains_of_iptables_is_found(nets: Nets) -> None:
    net, state = nets.make(), any_state(random.Random(7))

    def found() -> list[tuple[str, str]]:
        saved = net.run(iptables.save().argv).stdout
        return [(one.word, one.what) for one in findings.in_iptables(INTERCEPTION, state, saved)]

    command = iptables.create(INTERCEPTION, state)
    net.run(command.argv, input=command.stdin)
    assert found() == []
    net.run(["iptables", "-t", "nat", "-I", "OUTPUT", "1", "-p", "tcp", "-j", "ACCEPT"])
    assert found() == [("reordered", "rule")]
    net.run(["iptables", "-t", "nat", "-F", "PREROUTING"])
    assert found() == [("missing", "rule"), ("reordered", "rule")]
