"""The search for the smallest part of a recording that fails."""

import json
from collections.abc import Callable, Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from edgecore.recording.editing.minimizing import Search
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    MqttDirection,
    MqttMessage,
    Note,
    SessionHead,
)

Fails = Callable[[Sequence[Entry]], bool]


def frame(
    resource: str,
    message_id: str,
    parent: str = "",
    *,
    sender: str = "cloud",
    source: str = "edgecontroller",
    operation: str = "update",
    link: int = 1,
) -> CloudFrame:
    direction = Direction.TO_EDGE if sender == "cloud" else Direction.TO_CLOUD
    header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": 1}
    route = {"source": source, "group": "resource", "operation": operation, "resource": resource}
    return CloudFrame(1, 1, direction, link, json.dumps({"header": header, "route": route, "content": "OK"}))


def event(link: int = 1, what: str = "open") -> ConnectionEvent:
    return ConnectionEvent(1, 1, Direction.TO_CLOUD, link, what, "")  # type: ignore[arg-type]


def exchange(resource: str, message_id: str) -> list[Entry]:
    """Return a message of the cloud and its acknowledgement."""
    ack = frame(resource, f"{message_id}-ack", message_id, sender="edge", operation="response")
    return [frame(resource, message_id), ack]


def note(text: str) -> Note:
    return Note(1, 1, text, "", "", "")


def minimized(entries: Sequence[Entry], fails: Fails, *, single: bool = False, most: int = 10_000) -> list[Entry]:
    search = Search(entries, single=single)
    seen = set()
    while search.trial is not None and search.tried < most:
        assert search.trial not in seen
        seen.add(search.trial)
        search.tell(fails([entries[place] for place in search.trial]))
    return [entries[place] for place in search.best]


def has(*wanted: Entry) -> Fails:
    return lambda entries: all(one in entries for one in wanted)


HEAD = SessionHead(1, 1, 2, n=1)


def test_the_one_message_that_fails_remains_with_its_acknowledgement_the_head_and_the_opening() -> None:
    others = [one for number in range(20) for one in exchange(f"default/service/s{number}", f"m{number}")]
    culprit = exchange("default/service/bad", "bad")
    entries = [HEAD, event(), *others[:20], *culprit, *others[20:]]
    assert minimized(entries, has(culprit[0])) == [HEAD, event(), *culprit]


def test_two_messages_that_fail_together_are_both_found() -> None:
    one, two = exchange("default/service/a", "a"), exchange("default/endpoints/b", "b")
    others = [one for number in range(20) for one in exchange(f"default/service/s{number}", f"m{number}")]
    entries = [event(), *others[:6], *one, *others[6:30], *two, *others[30:]]
    assert minimized(entries, has(one[0], two[0])) == [event(), *one, *two]


def test_an_object_goes_as_a_whole_before_its_messages_are_tried_one_by_one() -> None:
    about_web = [one for number in range(4) for one in exchange("default/service/web", f"m{number}")]
    about_others = [one for name in "xyz" for one in exchange(f"default/service/{name}", name)]
    entries = [event(), *about_web, *about_others]
    tried: list[list[Entry]] = []

    def fails(trial: Sequence[Entry]) -> bool:
        tried.append(list(trial))
        return about_web[4] in trial

    assert minimized(entries, fails) == [event(), *about_web[4:6]]
    whole = next(number for number, trial in enumerate(tried) if trial == [event(), *about_web])
    assert all(trial.count(about_web[0]) == trial.count(about_web[4]) for trial in tried[:whole])


def test_a_connection_on_which_nothing_fails_goes_with_its_opening_and_its_end() -> None:
    first = [event(1), frame("default/service/a", "a", link=1), event(1, "eof")]
    second = [event(2), frame("default/service/b", "b", link=2), event(2, "eof")]
    assert minimized([*first, *second], has(second[1])) == second


def test_what_an_edge_says_of_its_own_accord_stays_and_of_what_it_repeats_the_first() -> None:
    registration = frame("default/nodestatus/n", "r", sender="edge", source="edged", operation="insert")
    answer = frame("default/node/n", "ra", "r", operation="response")
    alive = [frame("node", f"k{number}", sender="edge", operation="keepalive") for number in range(9)]
    culprit = exchange("default/service/a", "a")
    entries = [event(), registration, answer, *alive[:5], *culprit, *alive[5:]]
    assert minimized(entries, has(culprit[0])) == [event(), registration, answer, alive[0], *culprit]


def test_what_an_edge_says_of_an_object_of_the_cloud_goes_with_that_object() -> None:
    pod = exchange("default/pod/p1", "a")
    status = frame("default/podstatus/p1", "s", sender="edge", source="edged")
    culprit = exchange("default/service/a", "b")
    assert minimized([event(), *pod, status, *culprit], has(culprit[0])) == [event(), *culprit]


def test_what_a_device_said_goes_with_what_the_edge_made_of_it() -> None:
    said = note("mqtt publish $hw/events/device/led-1/twin/update")
    by_mqtt = MqttMessage(1, 1, MqttDirection.IN, "b", "$hw/events/device/led-1/state/update", b"")
    report = frame("device/led-1/twin/edge_updated", "t", sender="edge", source="twin")
    culprit = exchange("default/service/a", "b")
    assert minimized([event(), said, by_mqtt, report, *culprit], has(culprit[0])) == [event(), *culprit]


def test_what_follows_by_number_or_by_message_id_goes_with_its_cause() -> None:
    cause = CloudFrame(1, 1, Direction.TO_EDGE, 1, "not JSON", n=5)
    effect = Note(1, 1, "by number", "", "", "", n=6, causes=(5,))
    bus = BusMessage(1, 1, "edgehub", "metamanager", frame("default/service/a", "a").text, n=7)
    culprit = frame("default/service/a", "a")
    trials: list[Sequence[Entry]] = []

    def fails(trial: Sequence[Entry]) -> bool:
        trials.append(trial)
        return culprit in trial

    assert minimized([cause, effect, culprit, bus], fails) == [culprit, bus]
    assert all((cause in trial) == (effect in trial) for trial in trials if culprit in trial or cause in trial)


def test_single_entries_go_where_that_is_asked_for() -> None:
    culprit = exchange("default/service/a", "a")
    keepalive = frame("node", "k", sender="edge", operation="keepalive")
    entries = [HEAD, event(), keepalive, *culprit]
    assert minimized(entries, has(culprit[1]), single=True) == [HEAD, event(), culprit[1]]


def test_what_fails_without_any_message_is_the_head_and_the_opening() -> None:
    entries = [HEAD, event(), *exchange("default/service/a", "a"), note("x")]
    assert minimized(entries, lambda _: True) == [HEAD]


def test_of_nothing_nothing_remains() -> None:
    search = Search([])
    assert search.trial is None
    search.tell(fails=True)
    assert search.best == ()


def test_a_search_that_ends_early_has_the_smallest_part_so_far() -> None:
    entries: list[Entry] = [note(str(number)) for number in range(64)]
    some = minimized(entries, has(entries[5], entries[60]), most=12)
    assert entries[5] in some
    assert entries[60] in some
    assert len(some) < 64


def test_one_culprit_among_a_thousand_takes_few_trials() -> None:
    entries: list[Entry] = [note(str(number)) for number in range(1000)]
    search = Search(entries)
    while search.trial is not None:
        search.tell(317 in search.trial)
    assert search.best == (317,)
    assert search.tried <= 40


@given(size=st.integers(1, 40), data=st.data())
def test_what_remains_fails_and_fails_no_more_without_any_one_part(size: int, data: st.DataObject) -> None:
    """Whatever the test is like: here it fails where one of some sets is there as a whole."""
    places = st.sets(st.integers(0, size - 1), min_size=1, max_size=4)
    culprits = data.draw(st.lists(places, min_size=1, max_size=4))
    entries: list[Entry] = [note(str(number)) for number in range(size)]

    def fails(trial: Iterable[int]) -> bool:
        return any(one <= set(trial) for one in culprits)

    search = Search(entries)
    while search.trial is not None:
        assert len(search.trial) < len(search.best)
        search.tell(fails(search.trial))
    assert fails(search.best)
    assert not any(fails(set(search.best) - {place}) for place in search.best)


@given(chances=st.lists(st.booleans(), max_size=400), size=st.integers(0, 30))
def test_a_test_that_answers_as_it_likes_ends_the_search_all_the_same(chances: list[bool], size: int) -> None:
    answers = iter(chances)
    search = Search([note(str(number)) for number in range(size)])
    while search.trial is not None:
        search.tell(next(answers, False))
    assert search.tried <= 1000 + len(chances)
