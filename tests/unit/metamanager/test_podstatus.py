"""What the rows of type podstatus come to, once a minute."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Route
from edgecore.modules.metamanager.podstatus import report_route, resync
from edgecore.modules.metamanager.steps import Remove

PODS = {"default/pod/a": "{}", "default/pod/b": "{}", "kube-system/pod/a": "{}"}


def test_statuses_are_told_by_namespace_in_the_order_of_the_rows() -> None:
    rows = [
        ("default/podstatus/a", '{"Name":"a"}'),
        ("default/podstatus/b", '{"Name":"b"}'),
        ("kube-system/podstatus/a", '{"Name":"c"}'),
    ]
    found = resync(rows, PODS.get)
    assert found.statuses == {"default": [{"Name": "a"}, {"Name": "b"}], "kube-system": [{"Name": "c"}]}
    assert (found.gone, found.unreadable) == ((), ())


def test_the_status_of_a_pod_that_is_gone_is_removed_and_not_told() -> None:
    found = resync([("default/podstatus/x", "{}"), ("kube-system/podstatus/b", "{}")], PODS.get)
    assert found.gone == (Remove("default/podstatus/x"), Remove("kube-system/podstatus/b"))
    assert found.statuses == {}


def test_a_status_that_is_no_object_is_named_and_left_out() -> None:
    rows = [("default/podstatus/a", value) for value in ("null", "[]", '"text"', "{", "")]
    found = resync([*rows, ("default/podstatus/b", "{}")], PODS.get)
    assert found.unreadable == ("default/podstatus/a",) * 5
    assert found.statuses == {"default": [{}]}


def test_the_route_is_the_recorded_one() -> None:
    assert report_route("default") == Route("metaManager", "resource", "update", "default/podstatus")


@given(st.lists(st.tuples(st.text() | st.just("a/podstatus/b"), st.text())), st.none() | st.text())
def test_whatever_lies_in_the_rows_is_sorted_and_nothing_is_raised(
    rows: list[tuple[str, str]], pod: str | None
) -> None:
    found = resync(rows, lambda _: pod)
    told = sum(map(len, found.statuses.values()))
    assert len(found.gone) + len(found.unreadable) + told == len(rows)
