import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.metadata.filters import Filters, exactly, filters_of_query, full_type
from edgecore.metadata.row import MetaRow
from edgecore.modules.metamanager.tables import Origin


@pytest.mark.parametrize(
    ("filters", "is_meant"),
    [
        (Filters(), True),
        (Filters(types=("pod",)), True),
        (Filters(types=("service", "p*")), True),
        (Filters(types=("service",)), False),
        (Filters(namespaces=("shop",)), True),
        (Filters(namespaces=("sho",)), False),
        (Filters(names=("web-?",)), True),
        (Filters(names=("web",)), False),
        (Filters(keys=("shop/*/web-1",)), True),
        (Filters(types=("pod",), names=("other*",)), False),
    ],
)
def test_a_row_is_meant_if_it_matches_one_pattern_of_each_kind(filters: Filters, is_meant: bool) -> None:
    assert filters.match_key("shop/pod/web-1", "pod") is is_meant


def test_since_means_rows_of_a_known_and_young_origin() -> None:
    row = MetaRow("a/pod/b", "pod", b"", 0, Origin("m", "s", "o", "r", 1000))
    filters = Filters(since_ms=1000)
    assert [filters.match(one) for one in (row, row._replace(origin=None))] == [True, False]
    assert not Filters(since_ms=1001).match(row)


@given(
    st.builds(
        Filters,
        *[st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1)).map(tuple)] * 4,
        since_ms=st.none() | st.integers(),
    )
)
def test_filters_are_the_same_after_their_way_as_a_query(filters: Filters) -> None:
    assert filters_of_query(filters.query()) == filters


def test_a_since_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        filters_of_query({"since_ms": "yesterday"})


@given(st.text())
def test_exactly_a_text_is_matched_by_that_text(text: str) -> None:
    assert Filters(keys=(exactly(text),)).match_key(text, "")


@pytest.mark.parametrize("other", ["a/pod/web", "a/pod/w?b*", "a/pod/w[b]"])
def test_exactly_a_text_with_marks_matches_no_other(other: str) -> None:
    assert not Filters(keys=(exactly("a/pod/w*b"),)).match_key(other, "")


@pytest.mark.parametrize(
    ("word", "row_type"),
    [
        ("pods", "pod"),
        ("po", "pod"),
        ("Pod", "pod"),
        ("svc", "service"),
        ("services", "service"),
        ("endpoints", "endpoints"),
        ("ep", "endpoints"),
        ("podlists", "podlist"),
        ("podstatus", "podstatus"),
        ("podstatuses", "podstatus"),
        ("nodestatus", "nodestatus"),
        ("pvc", "persistentvolumeclaim"),
        ("persistentvolumes", "persistentvolume"),
        ("pod*", "pod*"),
        ("odd", "odd"),
    ],
)
def test_a_type_has_the_names_that_kubectl_knows(word: str, row_type: str) -> None:
    assert full_type(word) == row_type
