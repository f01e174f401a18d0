"""The checks that schemas are made of: what each takes, and where the fault is said to be."""

from typing import Any

import pytest

from cloudhub_stub.cluster.schemas.shapes import (
    Check,
    Exactly,
    ListOf,
    MapOf,
    Number,
    NumberOrName,
    OneOf,
    Struct,
    Text,
    address,
    boolean,
    quantity,
    share,
    text,
)
from cloudhub_stub.errors import Invalid


def fault(check: Check, value: Any) -> str:
    try:
        check(value, "f")
    except Invalid as error:
        return f"{error.field}: {error.reason}"
    return ""


NEVER_A = Text(lambda value: "it has an a" if "a" in value else "")


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (boolean, False),
        (text, ""),
        (Text(), "x"),
        (Text(or_empty=True), ""),
        (NEVER_A, "b"),
        (OneOf("x", "y"), "y"),
        (OneOf("x", "y"), ""),
        (Number(1, 2), 2),
        (NumberOrName(lambda _: ""), "web"),
        (NumberOrName(lambda _: ""), 65_535),
        (quantity, "64Mi"),
        (quantity, 0.5),
        (share, 0),
        (share, "25%"),
        (address, "::1"),
        (ListOf(text), []),
        (ListOf(Struct({"a": text}), "a"), [{"a": "x"}, {"a": "y"}, {}, {}]),
        (MapOf(text), {"a": "b"}),
        (Struct({"a": text, "b": text}, required=["a"]), {"a": "x", "b": None, "unknown": 1}),
        (Struct({}, rules=[Exactly("a", "b")]), {"a": 1, "b": None}),
        (Struct({}, rules=[Exactly("a", "b", or_none=True)]), {}),
    ],
)
def test_a_value_that_fits_is_taken(check: Check, value: Any) -> None:
    assert fault(check, value) == ""


@pytest.mark.parametrize(
    ("check", "value", "said"),
    [
        (boolean, "true", "f: it is the text 'true'; it must be true or false (leave out the quotes)"),
        (boolean, 1, "f: it is the number 1; it must be true or false"),
        (text, True, "f: it is true; it must be text (YAML reads it so: put it in quotes)"),
        (text, 1.1, "f: it is the number 1.1; it must be text (YAML reads it so: put it in quotes)"),
        (text, {}, "f: it is a mapping; it must be text"),
        (Text(), "", "f: it is empty"),
        (NEVER_A, "a", "f: it has an a"),
        (OneOf("x", "y"), "z", "f: it is 'z'; it can be x, y"),
        (Number(1, 2), "2", "f: it is the text '2'; it must be a whole number (leave out the quotes)"),
        (Number(1, 2), "x", "f: it is the text 'x'; it must be a whole number"),
        (Number(1, 2), 3, "f: it is 3; it can be 1 to 2"),
        (Number(0, 2), True, "f: it is true; it must be a whole number"),
        (Number(1, 2), 1.0, "f: it is the number 1.0; it must be a whole number"),
        (NumberOrName(lambda _: ""), 0, "f: it is 0; it can be 1 to 65535"),
        (NumberOrName(lambda _: ""), [], "f: it is a list; it must be a whole number"),
        (quantity, "1 Gi", "f: '1 Gi' is no quantity such as 100m, 0.5, 2, 64Mi or 1e3"),
        (quantity, -1, "f: it is -1, which is less than nothing"),
        (quantity, True, "f: it is true; it must be a quantity"),
        (share, "25", "f: it is '25', neither a whole number nor a percentage such as 25%"),
        (share, -1, "f: it is -1; it can be 0 to 2147483647"),
        (address, "1.2.3", "f: it is '1.2.3', which is no IP address"),
        (ListOf(text), "x", "f: it is the text 'x'; it must be a list"),
        (ListOf(text), ["x", None], "f[1]: it is null; write the item or leave out the dash"),
        (ListOf(text), ["x", 1], "f[1]: it is the number 1; it must be text (YAML reads it so: put it in quotes)"),
        (ListOf(text, at_least=1), [], "f: it is an empty list, at least one item is needed"),
        (
            ListOf(Struct({}), "a", "b"),
            [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1, "b": 2}],
            "f[2].a: 1 and 2 stands in f[0] already",
        ),
        (MapOf(text), {"a": None}, "f[a]: it is null; it must be text"),
        (MapOf(text, lambda _: "it is odd"), {"k": "v"}, "f: the key 'k' cannot be: it is odd"),
        (Struct({}), [], "f: it is a list; it must be a mapping"),
        (Struct({"a": text}, required=["a"]), {"a": None}, "f.a: it is missing"),
        (Struct({"a": Struct({"b": text})}), {"a": {"b": 1}}, "f.a.b: it is the number 1; it must be text"),
        (Struct({"replicas": text}), {"replica": 1}, "f.replica: there is no such field, did you mean replicas?"),
        (Struct({"hostPort": text}), {"hostport": 1}, "f.hostport: there is no such field, did you mean hostPort?"),
        (Struct({}, also="hostPort"), {"hostPorts": 1}, "f.hostPorts: there is no such field, did you mean hostPort?"),
        (Struct({}, rules=[Exactly("a", "b")]), {"a": 1, "b": 2}, "f: it has a and b, of which it can have one only"),
        (Struct({}, rules=[Exactly("a", "b")]), {}, "f: it has none of a, b"),
    ],
)
def test_a_value_that_does_not_fit_is_told_where_and_why(check: Check, value: Any, said: str) -> None:
    assert fault(check, value).startswith(said)


def test_a_field_that_is_kept_unread_is_not_taken_for_a_misspelled_one() -> None:
    assert fault(Struct({"clusterIP": text}, also="clusterIPs"), {"clusterIPs": ["::1"]}) == ""


def test_a_long_value_is_shown_by_its_beginning() -> None:
    assert len(fault(OneOf("x"), "y" * 1000)) < 100
