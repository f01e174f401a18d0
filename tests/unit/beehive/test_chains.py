"""Chains: hops and times of messages that follow from one another, and the cause and effect of one."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.chains import Chains, Following, Place
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.switchboard import Passage

NOWHERE = Place(1, 0)


def passage(sender: str, receiver: str, message_id: str, parent_id: str = "", at: float = 0.0) -> Passage:
    return Passage(at, sender, receiver, Message(Header(message_id, parent_id), Route()))


def followed(following: Following, *passages: Passage) -> list[str]:
    shown = [pair for one in passages for pair in following.show(one, NOWHERE)]
    return [f"{one.sender}-{one.receiver}:{one.message.header.id}" for one, _ in shown]


def test_what_a_module_hands_on_and_answers_is_one_hop_further_and_later() -> None:
    chains = Chains()
    assert chains.place(passage("hub", "meta", "a", at=1.0)) == (1, 0)
    assert chains.place(passage("meta", "mesh", "a", at=1.0005)) == (2, 500)
    assert chains.place(passage("meta", "hub", "b", "a", at=1.001)) == (2, 1000)
    assert chains.place(passage("mesh", "edged", "c", "a", at=1.002)) == (3, 2000)
    assert chains.place(passage("hub", "meta", "d", at=2.0)) == (1, 0)


def test_members_of_a_group_are_reached_by_the_same_hop() -> None:
    chains = Chains()
    assert [chains.place(passage("hub", name, "a")).hop for name in ("meta", "twin")] == [1, 1]


@given(st.lists(st.tuples(*[st.integers(0, 5).map(str)] * 4), max_size=40))
def test_memory_is_bounded_and_hops_are_positive(steps: list[tuple[str, str, str, str]]) -> None:
    chains, following = Chains(kept=3), Following("0", kept=3)
    for step in steps:
        one = passage(*step)
        place = chains.place(one)
        assert place.hop >= 1
        list(following.show(one, place))
        assert len(chains._chains) <= 3
        assert len(following._effects) <= 3
        assert len(following._causes) <= 3


def test_a_message_is_followed_with_its_causes_and_effects_alone() -> None:
    shown = followed(
        Following("b"),
        passage("x", "y", "root"),
        passage("hub", "meta", "a", "root"),
        passage("hub", "meta", "other"),
        passage("meta", "hub", "sibling", "a"),
        passage("meta", "mesh", "b1", "a"),
        passage("mesh", "edged", "c", "b1"),
        passage("edged", "twin", "c"),
        passage("edged", "mesh", "d", "c"),
        passage("meta", "twin", "a", "root"),
        passage("meta", "twin", "late", "other"),
    )
    assert shown == [
        "x-y:root",
        "hub-meta:a",
        "meta-mesh:b1",
        "mesh-edged:c",
        "edged-twin:c",
        "edged-mesh:d",
        "meta-twin:a",
    ]


def test_the_first_of_those_that_are_wanted_is_followed() -> None:
    following = Following()
    cause, first, second = passage("hub", "meta", "a"), passage("meta", "mesh", "b", "a"), passage("hub", "meta", "z")
    assert followed(following, cause) == []
    assert not following.found
    following.begin(first)
    following.begin(second)
    assert followed(following, first, second) == ["hub-meta:a", "meta-mesh:b"]
    assert following.found


def test_parents_in_a_circle_end() -> None:
    assert followed(
        Following("a"), passage("x", "y", "b", "a2"), passage("x", "y", "a2", "b"), passage("x", "y", "a", "b")
    )
