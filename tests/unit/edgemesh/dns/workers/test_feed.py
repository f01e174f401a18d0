"""What is told of names, and told again."""

from ipaddress import IPv4Network

import pytest

from edgecore.modules.edgemesh.dns.workers.feed import Feed, Told, tell
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

WEB, DB = ServiceKey("default", "web"), ServiceKey("prod", "db")
QUESTIONS = [f"{name}.svc.cluster.local" for name in ("web.default", "db.prod", "gone.default")]


@pytest.fixture
def feed():
    feed = Feed(NameTable(complete=False))
    feed.serve_pool(IPv4Network("127.251.0.0/16"))
    feed.set(Published(WEB, "127.251.0.1"))
    feed.set(Published(DB, "127.251.0.2"))
    feed.set(Published(ServiceKey("default", "gone"), "127.251.0.3"))
    feed.remove(ServiceKey("Default", "GONE"))
    feed.complete = True
    return feed


def addresses(names: NameTable, query) -> list[bytes]:
    replies = [names.ready(query(name)) for name in QUESTIONS]
    return [b"" if reply is None else reply[-4:] for reply in replies]


def test_new_table_that_is_told_everything_answers_as_the_old_one(feed, query):
    names = NameTable(complete=False)
    for told in feed.everything():
        tell(names, told)
    assert addresses(names, query) == [b"\x7f\xfb\0\1", b"\x7f\xfb\0\2", b""]
    assert (names.complete, len(names)) == (True, 2)


def test_follower_hears_each_change_in_order_until_it_follows_no_more(feed, query):
    names = NameTable()
    for told in feed.everything():
        tell(names, told)
    heard: list[Told] = []
    feed.follow(heard.append)
    feed.set(Published(WEB, "127.251.0.9"))
    feed.remove(DB)
    feed.set(Published(DB, "127.251.0.8"))
    feed.unfollow(heard.append)
    feed.remove(WEB)
    for told in heard:
        tell(names, told)
    assert addresses(names, query) == [b"\x7f\xfb\0\x09", b"\x7f\xfb\0\x08", b""]


def test_name_without_room_is_refused_and_what_it_had_is_gone_everywhere(feed):
    names = NameTable()
    feed.follow(lambda told: tell(names, told))
    long = ServiceKey("n" * 63, "s" * 64)
    assert not feed.set(Published(long, "127.251.0.4"))
    assert len(names) == 0
    assert long not in [getattr(told, "service", None) for told in feed.everything()]


def test_address_that_is_none_raises_and_tells_nobody(feed):
    heard: list[Told] = []
    feed.follow(heard.append)
    with pytest.raises(ValueError, match="nonsense"):
        feed.set(Published(WEB, "nonsense"))
    assert heard == []
