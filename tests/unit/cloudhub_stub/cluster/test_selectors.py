"""Selectors: what each form takes and refuses, as text and in objects."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.selectors import (
    Requirement,
    Selector,
    is_int64,
    label_selector_matches,
    matches_expressions,
    parse_selector,
)
from cloudhub_stub.errors import Invalid

WEB = {"app": "web", "tier": "front", "empty": "", "rank": "5", "example.org/x": "y"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "app=web",
        "app==web",
        "app = web , tier=front",
        "app!=db",
        "other!=db",
        "app in (db,web)",
        "app in(web)",
        "app notin (db)",
        "other notin (db)",
        "app",
        "!other",
        "! other",
        "empty=",
        "empty in (,x)",
        "example.org/x=y",
        "rank>4",
        "rank < 6",
        "app=web,!other,tier in (front),rank>1",
    ],
)
def test_a_selector_takes_labels_that_meet_it(text: str) -> None:
    assert parse_selector(text).matches(WEB)


@pytest.mark.parametrize(
    "text",
    [
        "app=db",
        "app!=web",
        "app=",
        "other=",
        "app in (db)",
        "other in (db)",
        "app notin (db,web)",
        "other",
        "!app",
        "rank>5",
        "rank<5",
        "app>5",
        "other>5",
        "app=web,other",
    ],
)
def test_a_selector_leaves_labels_that_do_not(text: str) -> None:
    assert not parse_selector(text).matches(WEB)


def test_a_selector_is_its_requirements() -> None:
    assert parse_selector("a=b,c notin (d,e)") == Selector(
        (Requirement("a", "In", ("b",)), Requirement("c", "NotIn", ("d", "e")))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=b", "a label is missing"),
        ("a=b,", "a label is missing"),
        (",a", "a label is missing"),
        ("a b", "'b' stands behind 'a'"),
        ("a in b", "'(' is missing"),
        ("a in (b", "')' is missing"),
        ("a in ()", "names no value"),
        ("a=b=c", "',' is missing"),
        ("!a=b", "',' is missing"),
        ("a=(b)", "',' is missing"),
        ("a=-b", "the value '-b' cannot be"),
        ("a b/c=d", "stands behind"),
        ("-a=b", "the label '-a' cannot be"),
        ("a>b", "no whole number"),
        ("a" * 20_000, "at most 16384 characters"),
    ],
)
def test_what_is_no_selector_is_told_why(text: str, said: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_selector(text)
    assert said in raised.value.reason
    assert raised.value.field == ""


@given(st.text(alphabet="ab=!<>(), inot/.-", max_size=30))
def test_any_text_is_a_selector_or_invalid(text: str) -> None:
    with suppress(Invalid):
        assert parse_selector(text).matches(WEB) in (True, False)


_VALUES = st.lists(st.sampled_from(["x", "y", "z", ""]), min_size=1, max_size=3, unique=True)


@given(st.sampled_from(["in", "notin"]), _VALUES, st.none() | st.sampled_from(["x", "y", "z", ""]))
def test_in_and_notin_are_opposites_as_sets_are(word: str, values: list[str], held: str | None) -> None:
    labels = {} if held is None else {"a": held}
    if values == [""]:
        values = ["x", ""]
    is_in = held in values
    assert parse_selector(f"a {word} ({','.join(values)})").matches(labels) == (is_in == (word == "in"))


@pytest.mark.parametrize(
    ("key", "operator", "values", "is_met"),
    [
        ("app", "In", ["web"], True),
        ("other", "In", ["web"], False),
        ("app", "NotIn", ["web"], False),
        ("other", "NotIn", ["web"], True),
        ("app", "Exists", [], True),
        ("empty", "Exists", [], True),
        ("other", "Exists", [], False),
        ("other", "DoesNotExist", [], True),
        ("app", "DoesNotExist", [], False),
        ("rank", "Gt", ["4"], True),
        ("rank", "Gt", ["5"], False),
        ("rank", "Lt", ["6"], True),
        ("rank", "Lt", ["x"], False),
        ("rank", "Lt", [], False),
        ("app", "Lt", ["6"], False),
        ("app", "Like", ["web"], False),
    ],
)
def test_an_expression_is_met_as_its_operator_says(key: str, operator: str, values: list[str], is_met: bool) -> None:
    assert matches_expressions([{"key": key, "operator": operator, "values": values}], WEB) == is_met


def test_all_expressions_must_be_met() -> None:
    expressions = [{"key": "app", "operator": "Exists"}, {"key": "other", "operator": "Exists", "values": None}]
    assert not matches_expressions(expressions, WEB)
    assert matches_expressions(expressions[:1], WEB)
    assert matches_expressions([], WEB)


def test_labels_and_expressions_of_a_label_selector_count_together() -> None:
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    assert label_selector_matches(selector, WEB)
    assert not label_selector_matches(selector, {"app": "web"})
    assert not label_selector_matches(selector, {"app": "db", "tier": "front"})


def test_an_empty_label_selector_takes_all_and_a_missing_one_none() -> None:
    assert label_selector_matches({}, {})
    assert not label_selector_matches(None, WEB)


def test_numbers_are_compared_as_far_as_64_bits_go() -> None:
    assert is_int64("-9223372036854775808")
    assert not is_int64("9223372036854775808")
    assert not is_int64("5 ")
