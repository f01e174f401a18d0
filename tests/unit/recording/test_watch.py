"""Who is shown what passes through a node."""

from edgecore.recording.watch import Watch


def test_nobody_looks_at_first() -> None:
    watch = Watch()
    assert [watch.frame, watch.connection, watch.mqtt, watch.commit, watch.dns, watch.request, watch.lost] == [None] * 7


def test_a_follower_is_told_at_once_and_of_each_change_and_finds_it_made() -> None:
    watch, found = Watch(), []
    watch.follow(lambda: found.append(watch.commit))
    show = found.append

    watch.commit = show
    watch.dns = None
    watch.commit = None

    assert found == [None, show, show, None]


def test_all_followers_are_told() -> None:
    watch, told = Watch(), []
    watch.follow(lambda: told.append("first"))
    assert told == ["first"]
    watch.follow(lambda: told.append("second"))

    told.clear()
    watch.request = told.append

    assert told == ["first", "second"]


def test_followers_of_one_node_are_not_told_of_another() -> None:
    one, other, told = Watch(), Watch(), []
    one.follow(lambda: told.append("one"))
    told.clear()

    other.request = told.append

    assert told == []
