"""The quick way to a cached answer gives what the slow one gives, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsreplies import address, name, opt, query, records, reply
from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.packets.packet import read_query
from edgecore.modules.edgemesh.dns.resolver import cachedreplies
from edgecore.modules.edgemesh.dns.resolver.askers import read_asker
from edgecore.modules.edgemesh.dns.resolver.cache import Cache, Source
from edgecore.modules.edgemesh.dns.resolver.cachedreplies import CachedReplies
from edgecore.modules.edgemesh.dns.resolver.findings import Finding, read_finding

QUESTION = Question(name("www.example"), b"\0\1\0\1")
COOKIE = bytes.fromhex("00 0029 04d0 00 00 0000 000c 000a 0008 0123456789abcdef")


class Names:
    version = 0


class Kept:
    """A cache with www.example in it, once for each of the flags."""

    def __init__(self, count: int = 1, *, flags: int = 0x81A0) -> None:
        self.names = Names()
        self.clock = VirtualClock()
        self.cache = Cache(100, stale_s=1000)
        self.counts = {"hit": 0}
        self.renewed: list[float] = []
        answers = [address(b"\xc0\x0c", f"192.0.2.{n}") for n in range(count)]
        for question in [Question(QUESTION.name, QUESTION.tail, True, cd, do) for cd in (0, 1) for do in (0, 1)]:
            found = read_finding(question, reply(query("www.example"), *answers, flags=flags), 3600)
            assert isinstance(found, Finding)
            entry = self.cache.put(question.key, found, Source(), 0.0)
            assert entry is not None
            entry.names_version = 0
        self.reply = CachedReplies(self.cache.entries, self.names, self.clock, self._renew, self.counts).reply

    def _renew(self, key, entry, now):
        self.renewed.append(now)
        self.cache.make_ready(entry, now)
        return now < entry.expires_at

    def slow(self, packet: bytes) -> bytes:
        asker = read_asker(packet, read_query(packet), is_tcp=False)
        entry = self.cache.entries[asker.question.key]
        return asker.reply(entry.finding, entry.finding.aged(int(self.clock.monotonic())))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize("flags", [0x0100, 0x0110, 0x0120, 0x0130])
@pytest.mark.parametrize("edns", [b"", opt(), opt(4096, dnssec_ok=True), opt(0), COOKIE])
@pytest.mark.parametrize("text", ["www.example", "WWW.eXample"])
def test_reply_is_that_of_the_slow_way(kept, flags, edns, text):
    packet = query(text, flags=flags, opt=edns)
    assert kept.reply(packet) == kept.slow(packet)
    assert kept.counts == {"hit": 1}


async def test_ttls_are_counted_down_once_a_second_at_most(kept):
    packet = query("www.example")
    seen = []
    for _ in range(6):
        seen.append(records(kept.reply(packet))[0][2])
        await kept.clock.advance(0.4)
    assert seen == [300, 300, 300, 299, 299, 298]
    assert len(kept.renewed) == 3


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(query("ww.example"), id="another name"),
        pytest.param(query("www.example", 28), id="another type"),
        pytest.param(query("www.example", flags=0x0000), id="no recursion wanted"),
        pytest.param(query("www.example", flags=0x0900), id="another opcode"),
        pytest.param(query("www.example") + b"x", id="something behind it"),
        pytest.param(query("www.example", opt=opt()[:-1]), id="OPT cut off"),
        pytest.param(query("www.example", opt=opt()[:6] + b"\1" + opt()[7:]), id="EDNS version 1"),
        pytest.param(query("www.example")[:-1], id="question cut off"),
        pytest.param(query("www.example")[:12], id="header alone"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_other_packet_takes_a_closer_look(kept, packet):
    assert kept.reply(packet) is None
    assert kept.counts == {"hit": 0}


def test_answer_from_before_a_name_of_ours_came_takes_a_closer_look(kept):
    kept.names.version = 1
    assert kept.reply(query("www.example")) is None


async def test_answer_that_holds_no_more_is_not_given(kept):
    await kept.clock.advance(300)
    assert kept.reply(query("www.example")) is None


@pytest.mark.parametrize(
    ("count", "edns", "is_tcp", "fits"),
    [
        (30, b"", False, True),
        (31, b"", False, False),
        (31, b"", True, True),
        (31, opt(1232), False, True),
        (31, opt(512), False, False),
        (75, opt(4096), False, False),
    ],
)
def test_answer_that_is_too_long_for_the_asker_takes_a_closer_look(count, edns, is_tcp, fits):
    got = Kept(count).reply(query("www.example", opt=edns), is_tcp=is_tcp)
    assert (got is not None) is fits


@given(st.data())
def test_changed_packet_gets_what_the_slow_way_gives_or_nothing(data):
    kept = Kept()
    packet = bytearray(query("www.example", opt=data.draw(st.sampled_from([b"", opt(), COOKIE]))))
    for _ in range(data.draw(st.integers(0, 3))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    packet = bytes(packet[: data.draw(st.integers(0, len(packet)))])
    got = kept.reply(packet)
    if got is not None:
        assert got == kept.slow(packet)


async def test_same_words_within_a_second_get_the_same_bytes_under_their_own_id(kept):
    first, second = query("www.example"), b"\xab\xcd" + query("www.example")[2:]
    replies = [kept.reply(first), kept.reply(second), kept.reply(first)]
    assert [reply[:2] for reply in replies] == [first[:2], b"\xab\xcd", first[:2]]
    assert {reply[2:] for reply in replies} == {kept.slow(first)[2:]}
    assert kept.counts == {"hit": 3}
    assert next(entry.hits for entry in kept.cache.entries.values() if entry.hits) == 3


def test_same_words_are_looked_at_anew_once_our_own_names_are_others(kept):
    packet = query("www.example")
    assert kept.reply(packet) is not None
    kept.names.version += 1
    assert kept.reply(packet) is None


async def test_same_words_are_looked_at_anew_when_the_answer_ends(kept):
    packet = query("www.example")
    assert kept.reply(packet) is not None
    await kept.clock.advance(301)
    assert kept.reply(packet) is None


def test_number_of_wordings_that_are_remembered_is_bounded(kept, monkeypatch):
    monkeypatch.setattr(cachedreplies, "RECENT_LIMIT", 8)
    cached = kept.reply.__self__
    for number in range(20):
        cookie = COOKIE[:-8] + number.to_bytes(8, "big")
        assert kept.reply(query("www.example", opt=cookie)) is not None
        assert len(cached._recent) <= 8
