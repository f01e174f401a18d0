"""Whatever a message says, ``plan`` returns: bad input is a ``Fault`` to count, or a ``Report`` to who sent it.

(Compared by ``repr``: named tuples of different kinds are equal when their fields are.)
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.metamanager.plan import plan
from edgecore.modules.metamanager.steps import Acknowledge, Fault, Forward, Plan, Put, Remove, Report, ToCloud
from edgecore.store.outbox import is_durable

Make = Callable[..., Message]
SERVICES = "namespace/servicelist/service"
LISTS = [SERVICES, "namespace/endpointslist/endpoints"]
GOOD = {"metadata": {"name": "a", "namespace": "n"}}


@pytest.mark.parametrize("operation", ["", "Insert", "keepalive", "get", "get_result", "CreateVolume", "connected"])
def test_an_unknown_operation_is_a_fault_and_nothing_else(message: Make, operation: str) -> None:
    decided = plan(message(operation, "default/service/x", {}), {}.get, connected=True)
    assert repr(decided) == repr(Plan(steps=(Fault("unknown_operation", operation),)))


def test_an_error_report_is_counted_with_its_text(message: Make) -> None:
    decided = plan(message("error", "default/configmap/x", "not found"), {}.get, connected=True)
    assert repr(decided) == repr(Plan(steps=(Fault("error_reported", "not found"),)))


@pytest.mark.parametrize(
    ("resource", "row_type"),
    [("stub/foo/x", "foo"), ("x", ""), ("node/n/stub/service/h", ""), ("", ""), ("//", "")],
)
@pytest.mark.parametrize("operation", ["insert", "update"])
def test_an_unknown_resource_is_stored_and_acknowledged_as_in_go_but_counted(
    message: Make,
    operation: str,
    resource: str,
    row_type: str,
) -> None:
    decided = plan(message(operation, resource, {}), {}.get, connected=True)
    assert decided.changes == (Put(resource, row_type, "{}"),)
    assert repr(decided.steps) == repr((Fault("unknown_resource_type", resource), Forward("edged"), Acknowledge()))


def test_delete_of_an_unknown_resource_is_acknowledged_as_in_go_but_counted(message: Make) -> None:
    decided = plan(message("delete", "stub/foo/x"), {}.get, connected=True)
    assert decided.changes == (Remove("stub/foo/x"),)
    assert repr(decided.steps) == repr((Fault("unknown_resource_type", "stub/foo/x"), Forward("edged"), Acknowledge()))


@pytest.mark.parametrize("resource", ["", "x", "a/b/c/d", "node/n/stub/service/h"])
def test_a_query_without_a_type_is_answered_with_an_error(message: Make, resource: str) -> None:
    """Go's parser indexes out of range on a query of one token, and the process ends (bug B8)."""
    fault, report = plan(message("query", resource), {}.get, connected=True).steps
    assert fault == Fault("wrong_resource", resource)
    assert isinstance(report, Report)


def bytes_or_repr(value: object) -> str:
    """Name a case the same in every process: ``Raw`` prints its address."""
    return f"raw {bytes(value)!r}" if isinstance(value, msgspec.Raw) else repr(value)


@pytest.mark.parametrize("resource", LISTS)
@pytest.mark.parametrize("operation", ["insert", "update", "delete"])
@pytest.mark.parametrize("content", ["text", {"items": []}, 7, True, msgspec.Raw(b'"text"')], ids=bytes_or_repr)
def test_a_list_that_is_no_list_is_reported_and_not_acknowledged(
    message: Make,
    operation: str,
    resource: str,
    content: Any,
) -> None:
    decided = plan(message(operation, resource, content), {}.get, connected=True)
    assert decided.changes == ()
    fault, report = decided.steps
    assert isinstance(fault, Fault)
    assert fault.reason == "wrong_content"
    assert isinstance(report, Report)
    assert report.text.startswith("Error to unmarshal: ")


@pytest.mark.parametrize(
    "element",
    [
        None,
        "text",
        [],
        {},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"name": "a"}},
        {"metadata": {"namespace": "n"}},
        {"metadata": {"name": 1, "namespace": "n"}},
        {"metadata": {"name": "", "namespace": "n"}},
    ],
    ids=repr,
)
@pytest.mark.parametrize(("operation", "change"), [("insert", Put), ("update", Put), ("delete", Remove)])
def test_a_malformed_element_is_counted_and_the_others_count(
    message: Make,
    operation: str,
    change: type,
    element: Any,
) -> None:
    decided = plan(message(operation, SERVICES, [GOOD, element, GOOD]), {}.get, connected=True)
    own = [each for each in decided.changes if each.key != "n/podlist/a"]  # which goes with a service that is deleted
    assert [(type(each), each.key) for each in own] == [(change, "n/service/a")] * 2
    fault, *rest = decided.steps
    detail = "1 of 3 have no name and namespace, the first is servicelist[1]"
    assert repr(fault) == repr(Fault("wrong_element", detail))
    assert repr(rest) == repr([Forward("edgemesh"), Acknowledge()])


def test_a_list_of_nothing_but_malformed_elements_is_one_fault(message: Make) -> None:
    decided = plan(message("update", SERVICES, [1] * 10_000), {}.get, connected=True)
    assert [type(step) for step in decided.steps] == [Fault, Forward, Acknowledge]


@pytest.mark.parametrize("resource", LISTS)
def test_the_deepest_list_that_the_wire_lets_through_is_no_exception(message: Make, resource: str) -> None:
    deep = wire.decode(b'{"content":' + b"[" * 511 + b"]" * 511 + b"}").content
    decided = plan(message("update", resource, deep), {}.get, connected=True)
    assert repr(decided.steps[1:]) == repr((Forward("edgemesh"), Acknowledge()))


def test_content_that_is_no_json_is_reported(message: Make) -> None:
    decided = plan(message("update", "default/pod/x", {1j: "x"}), {}.get, connected=True)
    fault, report = decided.steps
    assert isinstance(fault, Fault)
    assert isinstance(report, Report)
    assert report.text.startswith("Error to marshal message content: ")


@pytest.mark.parametrize("content", ["cloud_gone", None, {"a": 1}, [], 3])
def test_unknown_news_is_a_fault(message: Make, content: Any) -> None:
    decided = plan(message("publish", "node/connection", content, "edgehub"), {}.get, connected=True)
    assert repr(decided.steps) == repr((Fault("unknown_resource", "node/connection"),))


WORDS = [
    *("", "insert", "update", "delete", "query", "response", "publish", "error", "edgecontroller", "edged"),
    *("createvolume", "meta-internal-sync", "action", "action_result"),
]
TYPES = [
    *("pod", "service", "servicelist", "endpointslist", "podlist", "podstatus", "listener", "node", "configmap", "x"),
    *("volume", "volumeattachment", "nodestatus"),
]


def _raw(value: Any) -> Any:
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except UnicodeEncodeError:  # half a surrogate pair: the wire does not let it through
        return None


words = st.sampled_from(WORDS) | st.text()
resources = st.text() | st.lists(st.text(alphabet="ab") | st.sampled_from(TYPES), max_size=5).map("/".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("metadata"), inner),
    max_leaves=8,
)
contents = json_values | json_values.map(_raw) | st.binary()
messages = st.builds(Message, st.just(Header("m")), st.builds(Route, words, words, words, resources), contents)


@given(messages, st.none() | st.text(), st.booleans())
def test_plan_returns_whatever_route_and_content(given_message: Message, stored: str | None, connected: bool) -> None:
    decided = plan(given_message, lambda _: stored, connected=connected)
    assert all(isinstance(change, Put | Remove) for change in decided.changes)
    kinds = [type(step) for step in decided.steps]
    if Acknowledge in kinds:  # the last thing that is done, and not for questions or failures
        assert kinds[-1] is Acknowledge
        assert given_message.route.operation in ("insert", "update", "delete")
    if Report in kinds:
        assert decided.changes == ()
        assert Acknowledge not in kinds
    for step in decided.steps:
        if isinstance(step, ToCloud):  # EdgeHub asks the same of the message when it gets it
            assert step.durable is is_durable(given_message)
