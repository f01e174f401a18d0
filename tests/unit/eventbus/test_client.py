"""User properties of MQTT 5, packed by hand: to the byte as paho packs them."""

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgecore.modules.eventbus.client import LONGEST_PROPERTY, _UserProperties

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=60)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_they_are_as_paho_packs_them(named: list[tuple[str, str]]) -> None:
    theirs = Properties(PacketTypes.PUBLISH)
    theirs.UserProperty = named

    assert _UserProperties(named).pack() == theirs.pack()


def test_a_long_one_is_cut_and_what_is_no_unicode_is_replaced() -> None:
    packed = _UserProperties([("id", "x" * 5000), ("parent", "\ud800")]).pack()

    assert b"x" * LONGEST_PROPERTY + b"\x26" in packed
    assert packed.endswith(b"\0\x01?")
