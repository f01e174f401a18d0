"""Which objects a command line means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cli.resources import Asked, WrongUsage, parse_resources
from cloudhub_stub.cluster.kinds import DEPLOYMENT_KIND, ENDPOINTS_KIND, NODE_KIND, POD_KIND, SERVICE_KIND


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["pods"], [Asked(POD_KIND, ())]),
        (["po", "a", "b", "a"], [Asked(POD_KIND, ("a", "b"))]),
        (["svc,Endpoints"], [Asked(SERVICE_KIND, ()), Asked(ENDPOINTS_KIND, ())]),
        (["svc,ep", "web"], [Asked(SERVICE_KIND, ("web",)), Asked(ENDPOINTS_KIND, ("web",))]),
        (["pods,po"], [Asked(POD_KIND, ())]),
        (["deployment.apps/web"], [Asked(DEPLOYMENT_KIND, ("web",))]),
        (["po/a", "no/n", "pod/b"], [Asked(POD_KIND, ("a", "b")), Asked(NODE_KIND, ("n",))]),
        (["all"], [Asked(POD_KIND, ()), Asked(SERVICE_KIND, ()), Asked(DEPLOYMENT_KIND, ())]),
    ],
)
def test_words_mean_kinds_and_names(words: list[str], asked: list[Asked]) -> None:
    assert parse_resources(words) == asked


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["pds"], "there are no objects of kind 'pds' (did you mean pods?)"),
        (["replicaset"], "there are no objects of kind 'replicaset'; there are namespaces, nodes, pods,"),
        ([""], "there are no objects of kind ''"),
        (["pods", "pod/a"], "'pods' is not KIND/NAME"),
        (["pod/"], "'pod/' is not KIND/NAME"),
        (["pod/a/b"], "'pod/a/b' is not KIND/NAME"),
        (["pod,svc/a"], "'pod,svc/a' names more than one kind"),
        (["pod", ""], "a name is empty"),
    ],
)
def test_words_that_mean_nothing_are_refused(words: list[str], why: str) -> None:
    with pytest.raises(WrongUsage) as refusal:
        parse_resources(words)
    assert why in str(refusal.value)


@given(st.lists(st.text(max_size=12) | st.sampled_from(["pods", "svc/a", "all", ",", "/"]), min_size=1, max_size=4))
def test_any_words_mean_something_or_are_refused(words: list[str]) -> None:
    try:
        asked = parse_resources(words)
    except WrongUsage:
        return
    assert asked
    assert all(all(each.names) for each in asked)
