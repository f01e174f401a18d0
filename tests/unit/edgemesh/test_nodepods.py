from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore import kube
from edgecore.modules.edgemesh.names import PodKey
from edgecore.modules.edgemesh.nodepods import NodePods

KEY = PodKey("default", "web-0")


def pod(version: int | str = "", uid: str = "", phase: str = "Running") -> kube.Pod:
    return kube.Pod(kube.Metadata("web-0", "default", uid, str(version)), status=kube.PodStatus(phase))


def test_a_pod_of_which_nothing_else_is_known_is_as_it_is_listed() -> None:
    listed = pod(7)

    assert NodePods().newest("default", listed) is listed


@given(st.lists(st.integers(0, 10**19), min_size=1, max_size=6), st.integers(0, 10**19))
def test_the_greatest_version_holds_whatever_the_order(own: list[int], listed: int) -> None:
    pods = NodePods()
    for version in own:
        pods.put(KEY, pod(version, "u", "own"))

    found = pods.newest("default", pod(listed, "u", "listed"))

    assert found.metadata.version == max(*own, listed)
    assert found.status.phase == ("own" if max(own) > listed else "listed")


def test_versions_are_compared_as_numbers() -> None:
    pods = NodePods()
    pods.put(KEY, pod("1000", phase="new"))

    assert pods.newest("default", pod("999")).status.phase == "new"


@pytest.mark.parametrize("version", ["", "x", "-1", "1" * 21, "\u0663"])
def test_a_version_that_is_no_number_is_older_than_any(version: str) -> None:
    pods = NodePods()
    pods.put(KEY, pod(version, phase="own"))
    assert pods.newest("default", pod("0")).status.phase == "Running"

    pods.put(KEY, pod("0", phase="own"))
    assert pods.newest("default", pod(version)).status.phase == "own"


def test_a_pod_of_another_namespace_or_name_is_another() -> None:
    pods = NodePods()
    pods.put(KEY, pod(9, phase="own"))

    assert pods.newest("prod", pod(7)).status.phase == "Running"
    assert pods.newest("default", kube.Pod(kube.Metadata("web-1"))).status.phase == ""


def test_a_deleted_pod_is_as_one_that_was_told_to_go_whatever_a_list_says_later() -> None:
    pods = NodePods()
    pods.put(KEY, pod(7, "u"))

    assert pods.remove(KEY, "u", -1)

    assert pods.newest("default", pod(7, "u")).terminating
    assert pods.newest("default", pod(99, "u")).terminating


def test_the_pod_that_takes_the_place_of_a_deleted_one_is_in() -> None:
    pods = NodePods()
    pods.put(KEY, pod(7, "u"))
    pods.remove(KEY, "u", 8)

    assert not pods.newest("default", pod(9, "v")).terminating
    assert pods.put(KEY, pod(9, "v", "own"))
    assert pods.newest("default", pod(8, "v")).status.phase == "own"


def test_what_is_said_of_one_pod_in_any_order_comes_to_the_same() -> None:
    words = [("put", 5, "u"), ("put", 6, "u"), ("remove", 7, "u"), ("put", 9, "v"), ("put", 10, "v")]
    seen = set()
    for order in permutations(words):
        pods = NodePods()
        for what, version, uid in order:
            if what == "put":
                pods.put(KEY, pod(version, uid))
            else:
                pods.remove(KEY, uid, version)
        found = [pods.newest("default", pod(version, uid)) for version, uid in ((6, "u"), (8, "v"), (11, "v"))]
        seen.add(tuple((one.metadata.uid, one.metadata.version, one.terminating) for one in found))

    assert seen == {(("v", 10, False), ("v", 10, False), ("v", 11, False))}


def test_a_late_delete_of_the_pod_before_leaves_the_one_in_its_place() -> None:
    pods = NodePods()
    pods.put(KEY, pod(9, "v"))

    assert not pods.remove(KEY, "u", 8)
    assert not pods.remove(KEY, "u", -1)
    assert not pods.remove(KEY, "", 8)
    assert not pods.newest("default", pod(9, "v")).terminating


def test_the_delete_of_a_pod_that_nothing_is_known_of_counts_if_it_says_which() -> None:
    pods = NodePods()
    assert not pods.remove(KEY, "", -1)
    assert not pods.newest("default", pod(3, "u")).terminating

    assert pods.remove(KEY, "u", -1)
    assert pods.newest("default", pod(3, "u")).terminating
    assert not pods.newest("default", pod(3, "v")).terminating


def test_the_delete_of_a_pod_counts_also_if_its_last_state_is_an_old_one() -> None:
    pods = NodePods()
    pods.put(KEY, pod(9, "u"))

    assert pods.remove(KEY, "u", 8)
    assert pods.newest("default", pod(10, "u")).terminating


def test_a_delete_that_says_nothing_means_the_pod_that_is_known() -> None:
    pods = NodePods()
    pods.put(KEY, pod(7, "u"))

    assert pods.remove(KEY, "", -1)
    assert pods.newest("default", pod(7, "u")).terminating


def test_the_same_word_again_is_no_news() -> None:
    pods = NodePods()
    assert pods.put(KEY, pod(7, "u"))
    assert not pods.put(KEY, pod(7, "u"))
    assert not pods.put(KEY, pod(6, "u"))
    assert pods.remove(KEY, "u", 8)
    assert not pods.remove(KEY, "u", 8)
    assert not pods.put(KEY, pod(7, "u"))


def test_pods_without_uid_and_version_may_come_again() -> None:
    pods = NodePods()
    pods.put(KEY, pod())
    pods.remove(KEY, "", -1)
    assert pods.newest("default", pod()).terminating

    assert pods.put(KEY, pod())
    assert not pods.newest("default", pod()).terminating


def test_only_the_newest_are_remembered() -> None:
    pods = NodePods(limit=2)
    for number in range(3):
        pods.put(PodKey("default", f"web-{number}"), pod(9, phase="own"))

    assert len(pods) == 2
    assert pods.newest("default", pod(7)).status.phase == "Running"


def test_a_pod_that_is_inserted_after_it_was_deleted_is_back_though_it_is_older() -> None:
    pods = NodePods()
    pods.put(KEY, pod(9, "u"))
    pods.remove(KEY, "u", 12)
    assert not pods.put(KEY, pod(9, "u"))

    assert pods.put(KEY, pod(5, "u"), is_inserted=True)

    assert not pods.newest("default", pod(5, "u")).terminating
