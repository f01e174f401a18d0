"""Other addresses in the text of a message."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.errors import ReplayError
from cloudhub_stub.replay.addresses import AddressMap
from edgecore.recording.entries import CloudFrame
from edgecore.recording.reader import read_entries

EXAMPLES = Path(__file__).parents[4] / "examples" / "recordings"

MAP = AddressMap({"10.66.0.2": "127.0.0.2"})


def mapped(value: str, addresses: AddressMap = MAP) -> str:
    """Return what becomes of a JSON string with this value."""
    result = json.loads(addresses.apply(json.dumps({"a": value})))["a"]
    assert isinstance(result, str)
    return result


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "{}:8000",
        "http://{}/x",
        "[{}]",
        "{}/24",
        "a {} b",
        "{},x",
        "see {}.",
        "{}\n",
        "\n{}",
        "\t{}",
        "={}",
        '"{}"',
    ],
)
def test_an_address_that_stands_for_itself_is_replaced(around: str) -> None:
    assert mapped(around.format("10.66.0.2")) == around.format("127.0.0.2")


@pytest.mark.parametrize(
    "text",
    ["10.66.0.21", "110.66.0.2", "1.10.66.0.2", "10.66.0.2.5", "x10.66.0.2", "10.66.0.2x", "a-10.66.0.2", "10.66.0.2-b",
     "10.66.0.2.nip.io", "v.10.66.0.2", "10.66.0.2_", "10.66.0", "10a66b0c2"],
)  # fmt: skip
def test_a_part_of_something_longer_is_left(text: str) -> None:
    assert mapped(text) == text


def test_every_occurrence_is_replaced() -> None:
    assert mapped("10.66.0.2,10.66.0.21,10.66.0.2") == "127.0.0.2,10.66.0.21,127.0.0.2"


def test_two_addresses_can_be_swapped() -> None:
    swap = AddressMap({"10.0.0.1": "10.0.0.2", "10.0.0.2": "10.0.0.1"})
    assert mapped("10.0.0.1 10.0.0.2", swap) == "10.0.0.2 10.0.0.1"


def test_an_ipv6_address_is_replaced_whole() -> None:
    addresses = AddressMap({"fd00::2": "::1"})
    assert mapped("[fd00::2]:80", addresses) == "[::1]:80"
    assert mapped("fd00::2:5", addresses) == "fd00::2:5"
    assert mapped("1:fd00::2", addresses) == "1:fd00::2"


def test_what_is_outside_of_strings_is_left() -> None:
    text = '{"n":10.66,"s":"10.66.0.2"} 10.66.0.2'
    assert MAP.apply(text) == '{"n":10.66,"s":"127.0.0.2"} 10.66.0.2'


def test_the_bytes_of_strings_without_an_address_stay() -> None:
    text = '{ "a" : "\\u003cb\\/\\u00e9", "ip":"10.66.0.2" , "c":1.0 }\n'
    assert MAP.apply(text) == text.replace("10.66.0.2", "127.0.0.2")


def test_json_inside_a_string_is_text_like_any_other() -> None:
    inner = json.dumps({"ip": "10.66.0.2", "x": "\n10.66.0.21"})
    assert mapped(inner) == inner.replace('"10.66.0.2"', '"127.0.0.2"')


def test_broken_strings_are_left_for_the_decoder_to_refuse() -> None:
    text = '{"a":"10.66.0.2 \\ud800","b":"\\x 10.66.0.2"'
    assert MAP.apply(text) == text


def test_an_empty_map_changes_nothing() -> None:
    assert mapped("10.66.0.2", AddressMap({})) == "10.66.0.2"


def test_the_recorded_hosts_are_replaced_everywhere() -> None:
    addresses = AddressMap({"10.66.0.2": "127.0.0.2", "10.66.0.1": "127.0.0.3"})
    for name in ("b_services_endpoints_pods.jsonl", "b2_deletes.jsonl"):
        texts = [entry.text for entry in read_entries(EXAMPLES / name) if isinstance(entry, CloudFrame)]
        assert any("10.66.0." in text for text in texts)
        for text in texts:
            expected = re.sub(r"10\.66\.0\.2\b", "127.0.0.2", re.sub(r"10\.66\.0\.1\b", "127.0.0.3", text))
            assert addresses.apply(text) == expected


@pytest.mark.parametrize(
    "text", ["10.66.0.2", "", "10.66.0.2=", "=127.0.0.2", "host=127.0.0.2", "10.0.0.1=127.0.0.300"]
)
def test_a_map_of_anything_but_addresses_is_refused(text: str) -> None:
    with pytest.raises(ReplayError):
        AddressMap.parse([text])


def test_an_address_mapped_to_two_others_is_refused() -> None:
    with pytest.raises(ReplayError, match=r"10\.0\.0\.1 is mapped to 10\.0\.0\.2 already"):
        AddressMap.parse(["10.0.0.1=10.0.0.2", "10.0.0.1=10.0.0.3"])


def test_the_same_map_twice_is_one() -> None:
    assert AddressMap.parse(["10.0.0.1=10.0.0.2"] * 2).pairs == {"10.0.0.1": "10.0.0.2"}


SEPARATOR = st.sampled_from([" ", ",", "/", '"', "\\", "\n", " é ", "(", ";", "=", ":8000 "])


@given(st.lists(st.tuples(st.ip_addresses(v=4).map(str), SEPARATOR), max_size=6), st.data())
def test_exactly_the_mapped_addresses_change(words: list[tuple[str, str]], data: st.DataObject) -> None:
    known = sorted({address for address, _ in words}) or ["10.0.0.1"]
    old = data.draw(st.sampled_from(known))
    new = str(data.draw(st.ip_addresses(v=4)))
    text = "".join(address + separator for address, separator in words)
    expected = "".join((new if address == old else address) + separator for address, separator in words)
    assert mapped(text, AddressMap({old: new})) == expected


@given(st.ip_addresses(v=4).map(str), st.text(alphabet="0123456789", min_size=1, max_size=3))
def test_an_address_with_more_digits_beside_it_is_another(address: str, more: str) -> None:
    addresses = AddressMap({address: "0.0.0.0"})
    for word in (f"{more}{address}", f"{address}{more}", f"{more}.{address}", f"{address}.{more}"):
        assert mapped(word, addresses) == word


@given(st.text())
def test_no_text_raises(text: str) -> None:
    MAP.apply(text + '"10.66.0.2')
    MAP.apply('"10.66.0.2' + text + '"')
