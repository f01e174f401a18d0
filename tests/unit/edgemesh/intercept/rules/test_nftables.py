"""The texts of nft: what they make, and that a change makes the same as a table made anew."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.intercept.rules import nftables
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, NameHijack, Spots
from edgecore.modules.edgemesh.names import Endpoint
from interceptions import INTERCEPTION, NAMES, OURS, SPOTS, any_spots, balanced
from nftmodel import NftModel

WEB, DNS, SHOP = SPOTS
LED = {spot: Endpoint(OURS, 4000) for spot in SPOTS}


def made(spots: Spots) -> NftModel:
    model = NftModel()
    model.run(nftables.create(INTERCEPTION, owner=True, spots=spots))
    return model


@given(st.lists(any_spots(), min_size=2, max_size=5))
def test_changes_one_after_the_other_make_what_is_made_at_once(states: list[Spots]) -> None:
    model = made(states[0])
    for before, after in pairwise(states):
        model.run(nftables.change(INTERCEPTION, before, after))
        assert model == made(after)


@given(any_spots(), any_spots())
def test_a_target_that_stays_keeps_its_counter_and_its_clients(before: Spots, after: Spots) -> None:
    text = nftables.change(INTERCEPTION, before, after)
    for spot, was in before.balanced.items():
        will = after.balanced.get(spot)
        for target in set(was.targets) & set(will.targets if will is not None else ()):
            assert will is not None
            assert f"counter ip edgecore_7 hits-{target.id}\n" not in text
            if was.sticky_s and will.sticky_s:
                assert f"set ip edgecore_7 kept-{target.id}\n" not in text
            if was.sticky_s == will.sticky_s:
                assert f"chain ip edgecore_7 to-{target.id}\n" not in text


@given(any_spots())
def test_nothing_to_change_is_no_text(spots: Spots) -> None:
    assert nftables.change(INTERCEPTION, spots, spots) == ""


def test_a_target_that_comes_to_a_spot_touches_nothing_but_its_own_and_the_choice() -> None:
    before = Spots(LED, {WEB: balanced(WEB, 1), SHOP: balanced(SHOP, 1, 2)})
    after = Spots(LED, {WEB: balanced(WEB, 1, 2), SHOP: balanced(SHOP, 1, 2)})
    assert nftables.change(INTERCEPTION, before, after).splitlines() == [
        "flush chain ip edgecore_7 spot-9.251.0.1-80-tcp",
        "add counter ip edgecore_7 hits-2",
        *(
            f"add rule ip edgecore_7 spot-9.251.0.1-80-tcp {rule}"
            for rule in (
                'counter name "sum-9.251.0.1-80-tcp"',
                "ip saddr 10.0.0.1 goto led",
                "ip saddr 10.0.0.2 goto led",
                'numgen inc mod 2 0 counter name "hits-1" meta l4proto tcp dnat to 10.0.0.1:8080',
                'counter name "hits-2" meta l4proto tcp dnat to 10.0.0.2:8080',
            )
        ),
    ]


def test_a_balanced_spot_whose_targets_are_all_gone_is_led_and_no_more() -> None:
    before, after = Spots(LED, {DNS: balanced(DNS, 1, sticky_s=60)}), Spots(LED, {DNS: balanced(DNS)})
    assert nftables.change(INTERCEPTION, before, after).splitlines() == [
        "delete element ip edgecore_7 balanced { 9.251.0.1 . udp . 80 }",
        "flush chain ip edgecore_7 spot-9.251.0.1-80-udp",
        "delete chain ip edgecore_7 spot-9.251.0.1-80-udp",
        "delete counter ip edgecore_7 sum-9.251.0.1-80-udp",
        "flush chain ip edgecore_7 to-11",
        "delete chain ip edgecore_7 to-11",
        "delete set ip edgecore_7 kept-11",
        "delete counter ip edgecore_7 hits-11",
    ]
    assert made(after) == made(Spots(LED))


def test_clients_that_stay_are_looked_up_before_a_target_is_chosen() -> None:
    rules = made(Spots(LED, {WEB: balanced(WEB, 1, 2, sticky_s=0.2)})).chains
    assert rules["spot-9.251.0.1-80-tcp"] == [
        'counter name "sum-9.251.0.1-80-tcp"',
        "ip saddr @kept-1 goto to-1",
        "ip saddr @kept-2 goto to-2",
        "numgen inc mod 2 0 goto to-1",
        "goto to-2",
    ]
    assert rules["to-1"][1:] == [
        "update @kept-1 { ip saddr timeout 1s }",
        'counter name "hits-1" meta l4proto tcp dnat to 10.0.0.1:8080',
    ]


def test_of_all_that_is_left_each_choice_takes_its_part() -> None:
    """No map: a packet that is among old rules while they are replaced would find theirs empty."""
    rules = made(Spots(LED, {WEB: Balanced(balanced(WEB, 1, 2, 3).targets, "random")})).chains
    assert [rule.partition(" meta")[0] for rule in rules["spot-9.251.0.1-80-tcp"][4:]] == [
        'numgen random mod 3 0 counter name "hits-1"',
        'numgen random mod 2 0 counter name "hits-2"',
        'counter name "hits-3"',
    ]


def test_the_sum_of_a_spot_is_read_by_its_spot() -> None:
    names = ("sum-9.251.0.1-80-tcp", "sum-9.251.0.9-80-tcp", "hits-1", "theirs")
    text = json.dumps({"nftables": [{"counter": {"name": name, "packets": 5}} for name in names]})
    assert nftables.read_sums(text, [WEB, SHOP]) == {WEB: nftables.Counted(5)}


def test_a_name_server_that_is_our_own_is_not_led_to_itself() -> None:
    assert sorted(made(Spots(names=NAMES)).maps["names"]) == [
        "127.0.0.53 . tcp . 53",
        "127.0.0.53 . udp . 53",
        "8.8.8.8 . tcp . 53",
        "8.8.8.8 . udp . 53",
    ]


def test_another_listener_for_names_takes_the_place_of_the_one_before() -> None:
    after = NameHijack(NAMES.servers[1:], Endpoint(OURS, 5300))
    model = made(Spots(names=NAMES))
    model.run(nftables.change(INTERCEPTION, Spots(names=NAMES), Spots(names=after)))
    assert model.maps["names"] == {f"8.8.8.8 . {transport} . 53": f"{OURS} . 5300" for transport in ("udp", "tcp")}


@pytest.mark.parametrize(("forwards", "chain"), [(True, "EDGE-MESH"), (False, "led")])
def test_containers_get_the_kernel_plane_only_where_the_host_forwards(forwards: bool, chain: str) -> None:
    i = msgspec.structs.replace(INTERCEPTION, forwards=forwards)
    chains = nftables.fixed_chains(i)
    assert chains["prerouting"][0] == f'iifname "docker0" ip daddr 9.251.0.0/16 goto {chain}'
    assert chains["output"][0] == "ip daddr 9.251.0.0/16 goto EDGE-MESH"


def test_only_who_asks_for_it_gets_a_table_that_nobody_else_may_change() -> None:
    assert "flags owner;" in nftables.create(INTERCEPTION, owner=True)
    assert "flags owner;" not in nftables.create(INTERCEPTION, owner=False)


def test_counters_are_read_by_the_ids_of_targets_and_others_are_passed_over() -> None:
    counters = [
        {"counter": {"family": "ip", "name": name, "table": "edgecore_7", "handle": 3, "packets": 5, "bytes": 300}}
        for name in ("hits-2", "hits-31", "hits-", "mine")
    ]
    text = msgspec.json.encode({"nftables": [{"metainfo": {"version": "1.0.6"}}, *counters]}).decode()
    assert nftables.read_counters(text) == {2: nftables.Counted(5), 31: nftables.Counted(5)}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nftables": 3}', "nonsense"])
def test_a_listing_that_is_none_is_an_error_of_decoding(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        nftables.read_counters(text)
