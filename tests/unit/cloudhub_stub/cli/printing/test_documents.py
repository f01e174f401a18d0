"""Documents of objects, which anything that reads YAML or JSON gets back as they were."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cli.printing.documents import as_list, long_name
from edgecore.control.documents import as_json, as_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "1e3",
        "0o17",
        "y",
        "No",
        "null",
        "~",
        "1:20",
        "2020-01-01",
        "- a",
        "a: b",
        "#x",
        "a\n\nb\n",
        " x\ny ",
        "\t\n",
        "<<",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_yaml_is_written_as_kubectl_does() -> None:
    obj = {
        "kind": "ConfigMap",
        "data": {"conf": "a=1\nb=2\n", "number": "12", "k": "v"},
        "metadata": {"creationTimestamp": "2020-05-04T10:00:00Z", "finalizers": ["a", "b"], "labels": {}},
    }
    assert as_yaml(obj).splitlines() == [
        "data:",
        "  conf: |",
        "    a=1",
        "    b=2",
        "  k: v",
        '  number: "12"',
        "kind: ConfigMap",
        "metadata:",
        '  creationTimestamp: "2020-05-04T10:00:00Z"',
        "  finalizers:",
        "  - a",
        "  - b",
        "  labels: {}",
    ]


@pytest.mark.parametrize("text", ["1e3", "1.5E-3", "0o17", "y", "N", ".5", "on", "1_000", "0x1F"])
def test_what_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert as_yaml({"a": text}) == f'a: "{text}"\n'


@given(VALUES)
def test_yaml_is_read_back_as_it_was(value: Any) -> None:
    assert yaml.safe_load(as_yaml(value)) == value


@given(VALUES)
def test_json_is_read_back_as_it_was(value: Any) -> None:
    assert json.loads(as_json(value)) == value


def test_equal_values_are_written_out_each_time() -> None:
    shared = ["x"]
    assert as_yaml({"a": shared, "b": shared}) == "a:\n- x\nb:\n- x\n"


def test_a_list_of_objects_is_one_itself() -> None:
    assert as_list([{"kind": "Pod"}])["kind"] == "List"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Pod", "pod/x"),
        ("Deployment", "deployment.apps/x"),
        ("Device", "device.devices.kubeedge.io/x"),
        ("Odd", "odd/x"),
    ],
)
def test_a_long_name_says_the_kind(kind: str, name: str) -> None:
    assert long_name(kind, "x") == name
