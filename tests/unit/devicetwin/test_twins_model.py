"""Whatever devices and cloud say in whatever order: what always holds of versions, rows and what is told."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.gojson import marshal
from edgecore.errors import ContentError
from edgecore.modules.devicetwin import values
from edgecore.modules.devicetwin.devices import Device, Side, Twin, Version
from edgecore.modules.devicetwin.payloads import MsgTwin, Twins, TwinUpdate
from edgecore.modules.devicetwin.reading import checked, read
from edgecore.modules.devicetwin.rows import read_twin, twin_row
from edgecore.modules.devicetwin.twins import TOO_MANY, Deal, Dealt, Refused, deal

KEYS = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from(["string", "int", "boolean", "Updated"])
SAID = st.fixed_dictionaries({"value": st.sampled_from(["1", "2", "true", ""])})
VERSIONS = st.fixed_dictionaries({"cloud": st.integers(0, 4), "edge": st.integers(0, 4)})
TYPED = st.fixed_dictionaries({"type": TYPES})
LOCAL_TWIN = st.none() | st.fixed_dictionaries(
    {}, optional={"expected": SAID, "actual": SAID, "optional": st.booleans(), "metadata": TYPED}
)
CLOUD_TWIN = st.fixed_dictionaries(
    {},
    optional={
        "expected": SAID,
        "actual": SAID,
        "optional": st.booleans(),
        "metadata": TYPED | st.just({"type": "deleted"}),
        "expected_version": VERSIONS,
        "actual_version": VERSIONS,
    },
)
STEPS = st.lists(
    st.tuples(st.just(Deal.LOCAL), st.dictionaries(KEYS, LOCAL_TWIN, max_size=2))
    | st.tuples(st.sampled_from([Deal.CLOUD, Deal.DETAIL]), st.dictionaries(KEYS, CLOUD_TWIN, max_size=2)),
    max_size=12,
)
TEXTS = {
    *(values.NO_TWIN, values.BAD_ENTRY, values.BAD_KEY, values.BAD_VALUE, values.BAD_TYPE),
    *(values.NOT_INT, values.NOT_FLOAT, values.NOT_BOOLEAN, TOO_MANY),
}


class Done(NamedTuple):
    """One step: what was asked for by whom, how it was before, and what came of it."""

    kind: Deal
    wanted: Twins
    before: Device
    dealt: Dealt
    now_ms: int


T = TypeVar("T")


def attempt(what: Callable[[], T]) -> T | Refused:
    try:
        return what()
    except Refused as error:
        return error


def run(steps: Sequence[tuple[Deal, dict[str, Any]]]) -> list[Done]:
    """Return the steps that were not refused."""
    device, done = Device("d"), []
    for now_ms, (kind, twins) in enumerate(steps, 1):
        wanted = msgspec.convert(twins, Twins)
        dealt = attempt(partial(deal, device, wanted, kind, now_ms))
        if isinstance(dealt, Refused):
            assert kind is Deal.LOCAL
            assert dealt.reason in TEXTS
            continue
        done.append(Done(kind, wanted, device, dealt, now_ms))
        device = dealt.device
    return done


def sides(twin: Twin) -> tuple[Side, Side]:
    return twin.expected or Side(), twin.actual or Side()


def version(side: Side) -> Version:
    return side.version or Version()


@given(STEPS)
def test_no_twin_is_forgotten_and_no_version_goes_down(steps: list[tuple[Deal, dict[str, Any]]]) -> None:
    for each in run(steps):
        after = each.dealt.device.twins
        assert each.before.twins.keys() <= after.keys()
        for key, twin in each.before.twins.items():
            for old, new in zip(sides(twin), sides(after[key]), strict=True):
                assert version(new).cloud >= version(old).cloud
                assert version(new).edge >= version(old).edge


@given(STEPS)
def test_every_value_has_its_type_a_time_and_a_version_and_a_twin_that_is_gone_has_none(
    steps: list[tuple[Deal, dict[str, Any]]],
) -> None:
    for each in run(steps):
        for twin in each.dealt.device.twins.values():
            for side in sides(twin):
                if side.value is None:
                    assert side.timestamp_ms is None
                    continue
                assert not twin.is_deleted
                assert values.check_type(twin.type, side.value) is None
                assert side.timestamp_ms is not None
                assert side.version is not None


@given(STEPS)
def test_the_rows_that_are_to_be_written_are_those_that_differ_and_give_the_same_twins(
    steps: list[tuple[Deal, dict[str, Any]]],
) -> None:
    rows: dict[str, Any] = {}
    for each in run(steps):
        after = each.dealt.device.twins
        assert each.dealt.changed == tuple(sorted(key for key in after if each.before.twins.get(key) != after[key]))
        rows |= {key: twin_row("d", key, after[key]) for key in each.dealt.changed}
        assert {key: read_twin(row)[2] for key, row in rows.items()} == after


@given(STEPS)
def test_documents_tell_of_changes_alone_and_a_delta_comes_with_a_document(
    steps: list[tuple[Deal, dict[str, Any]]],
) -> None:
    for each in run(steps):
        assert set(each.dealt.documents) <= set(each.dealt.changed)
        assert all(document.last != document.current for document in each.dealt.documents.values())
        if each.dealt.delta is not None:
            twins, differing = each.dealt.delta
            assert each.dealt.documents
            assert differing
            assert differing.keys() <= twins.keys()


@given(STEPS)
def test_the_cloud_is_told_what_changed_here_and_what_it_did_not_know(
    steps: list[tuple[Deal, dict[str, Any]]],
) -> None:
    for each in run(steps):
        after = each.dealt.device.twins
        if each.kind is Deal.LOCAL:
            assert each.dealt.sync.keys() == set(each.dealt.changed)
        else:
            assert each.dealt.result == {}
        for key, told in each.dealt.sync.items():
            assert told is not None
            expected, actual = sides(after[key])
            for known, side in ((told.expected_version, expected), (told.actual_version, actual)):
                assert known is None or Version(known.cloud, known.edge) == version(side)
            assert told.expected is None or told.expected.value == expected.value
            assert told.actual is None or told.actual.value == actual.value


@given(STEPS, st.sampled_from(["1", "2"]))
def test_a_cloud_that_knows_the_versions_has_its_way(steps: list[tuple[Deal, dict[str, Any]]], value: str) -> None:
    done = run(steps)
    device = done[-1].dealt.device if done else Device("d")
    for key in "abc":
        expected = version(sides(device.twins.get(key, Twin()))[0])
        twin = device.twins.get(key, Twin())
        if values.check_type("string" if twin.is_deleted else twin.type, value):
            continue
        known = {"cloud": expected.cloud + 1, "edge": expected.edge}
        wanted = msgspec.convert({"expected": {"value": value}, "expected_version": known}, MsgTwin)
        dealt = deal(device, {key: wanted}, Deal.CLOUD, 99)
        assert (dealt.sync, dealt.faults) == ({}, ())
        now = dealt.device.twins[key].expected
        assert now is not None
        assert (now.value, now.version) == (value, Version(expected.cloud + 1, expected.edge))


@given(STEPS)
def test_a_cloud_that_listens_knows_what_devices_report(steps: list[tuple[Deal, dict[str, Any]]]) -> None:
    heard: dict[str, str | None] = {}
    for each in run([(kind, twins) for kind, twins in steps if kind is Deal.LOCAL]):
        for key, told in each.dealt.sync.items():
            assert told is not None
            if told.actual is not None:
                heard[key] = told.actual.value
        for key, twin in each.dealt.device.twins.items():
            assert sides(twin)[1].value == heard.get(key)


@given(STEPS, LOCAL_TWIN, CLOUD_TWIN)
def test_what_was_there_before_is_never_changed_in_place(
    steps: list[tuple[Deal, dict[str, Any]]], local: Any, cloud: dict[str, Any]
) -> None:
    done = run(steps)
    device = done[-1].dealt.device if done else Device("d")
    before = copy.deepcopy(device)
    for kind, twin in ((Deal.LOCAL, local), (Deal.CLOUD, cloud)):
        wanted = msgspec.convert({"a": twin, "b": twin}, Twins)
        asked = copy.deepcopy(wanted)
        attempt(partial(deal, device, wanted, kind, 99))
        assert (device, wanted) == (before, asked)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["expected", "actual", "optional", "metadata", "expected_version", "actual_version", "value"])
HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        "event_id": JSON,
        "timestamp": JSON,
        "twin": JSON
        | st.dictionaries(KEYS | st.text(max_size=3), JSON | st.dictionaries(WORDS, JSON | SAID | TYPED, max_size=4)),
    },
)
KNOWN = Device(
    "d",
    twins={
        "a": Twin(Side("1", 1, Version(1, 0)), Side("2", 1, Version(0, 1)), True, "int"),
        "b": Twin(None, Side(version=Version(0, 2)), True, "deleted"),
    },
)


def wanted_of(payload: bytes | str) -> Twins | Refused | None:
    """Return what a payload wants, or why not; ``None`` where it cannot be read at all."""
    try:
        update = read(TwinUpdate, payload)
    except ContentError:
        return None
    return attempt(partial(checked, update))


@given(HOSTILE | JSON, st.sampled_from([Deal.LOCAL, Deal.CLOUD]))
def test_whatever_json_comes_it_is_done_or_refused_with_a_text_of_kubeedge(payload: Any, kind: Deal) -> None:
    before = copy.deepcopy(KNOWN)
    wanted = wanted_of(marshal(payload))
    dealt = attempt(partial(deal, KNOWN, wanted, kind, 5)) if isinstance(wanted, dict) else wanted
    if isinstance(dealt, Refused):
        assert (dealt.code, dealt.reason in TEXTS) == (400, True)
    elif dealt is not None:
        marshal([dealt.result, dealt.documents, dealt.delta, dealt.sync])
    assert before == KNOWN


@given(st.binary() | st.text())
def test_whatever_bytes_come_they_are_refused_or_read(payload: bytes | str) -> None:
    wanted = wanted_of(payload)
    assert wanted is None or isinstance(wanted, dict) or wanted.reason in TEXTS
