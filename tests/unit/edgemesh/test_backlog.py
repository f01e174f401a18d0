from hypothesis import given
from hypothesis import strategies as st

from edgecore import kube
from edgecore.modules.edgemesh.backlog import Backlog
from edgecore.modules.edgemesh.msgprocess import (
    EndpointsChanged,
    EndpointsDeleted,
    Keyed,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import ServiceKey

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


def changes(backlog: Backlog) -> list[Keyed]:
    return [waiting.change for waiting in backlog.take()]


def filled(*added: Keyed, limit: int = 10) -> Backlog:
    backlog = Backlog(limit)
    for change in added:
        backlog.add(change, "")
    return backlog


def test_of_one_thing_the_newest_change_is_kept_where_it_came_last() -> None:
    first, second = ServiceChanged(WEB, kube.Service()), ServiceChanged(WEB, kube.Service(kube.ServiceMetadata("web")))

    assert changes(filled(first, ServiceDeleted(API), second)) == [ServiceDeleted(API), second]


def test_a_deletion_replaces_a_change_and_the_other_way_round() -> None:
    change = ServiceChanged(WEB, kube.Service())

    assert changes(filled(change, ServiceDeleted(WEB))) == [ServiceDeleted(WEB)]
    assert changes(filled(ServiceDeleted(WEB), change)) == [change]


def test_a_service_its_pods_and_its_endpoints_are_three_things() -> None:
    kept: list[Keyed] = [PodsDeleted(WEB), ServiceDeleted(WEB), EndpointsDeleted(WEB)]

    assert changes(filled(PodsChanged(WEB, ()), EndpointsChanged(WEB, kube.Endpoints()), *kept)) == kept


def test_the_resource_of_the_message_is_kept_with_the_change() -> None:
    backlog = Backlog(1)
    backlog.add(ServiceDeleted(WEB), "namespace/servicelist/service")

    assert backlog.take() == ((ServiceDeleted(WEB), "namespace/servicelist/service"),)


def test_what_was_taken_waits_no_longer() -> None:
    backlog = filled(ServiceDeleted(WEB))
    backlog.take()

    assert (len(backlog), backlog.take()) == (0, ())


def test_one_thing_that_changes_without_end_never_overflows() -> None:
    backlog = Backlog(1)

    assert sum(backlog.add(ServiceDeleted(WEB), "") for _ in range(100)) == 0
    assert (len(backlog), backlog.overflowed, backlog.dropped) == (1, False, 0)


def test_one_thing_too_many_drops_all_and_says_how_many() -> None:
    backlog = filled(ServiceDeleted(WEB), PodsDeleted(WEB), limit=2)

    assert backlog.add(ServiceDeleted(API), "") == 3
    assert (len(backlog), backlog.overflowed, backlog.dropped) == (0, True, 3)


def test_after_an_overflow_what_comes_is_kept_again() -> None:
    backlog = filled(ServiceDeleted(WEB), ServiceDeleted(API), limit=1)
    backlog.add(PodsDeleted(WEB), "")

    assert changes(backlog) == [PodsDeleted(WEB)]
    assert backlog.overflowed


@given(
    st.lists(st.tuples(st.sampled_from([ServiceDeleted, PodsDeleted, EndpointsDeleted]), st.integers(0, 9))),
    st.integers(1, 8),
)
def test_a_backlog_never_holds_more_than_its_limit_and_loses_nothing_unseen(
    added: list[tuple[type[ServiceDeleted], int]], limit: int
) -> None:
    backlog = Backlog(limit)
    for kind, number in added:
        backlog.add(kind(ServiceKey("bulk", f"s{number}")), "")
        assert len(backlog) <= limit

    assert backlog.overflowed == bool(backlog.dropped)
    if not backlog.overflowed:
        assert len(backlog) == len(set(added))
