from edgecore.store.kubeedge import META
from edgecore.store.migrations import FIRST, META_OF_VERSION_1, MIGRATIONS, SCHEMA_VERSION, pending


def test_versions_follow_each_other_without_a_gap() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(1, SCHEMA_VERSION + 1))
    assert MIGRATIONS[0] is FIRST


def test_what_is_pending_is_what_is_above_the_version_of_the_file() -> None:
    assert pending(0, MIGRATIONS) == list(MIGRATIONS)
    assert pending(1, MIGRATIONS) == list(MIGRATIONS[1:])
    assert pending(SCHEMA_VERSION, MIGRATIONS) == []
    assert pending(SCHEMA_VERSION + 1, MIGRATIONS) == []


def test_meta_of_version_1_is_made_anew_with_its_row_numbers() -> None:
    statements = MIGRATIONS[1].statements({"meta": META_OF_VERSION_1})
    assert META in statements
    assert any("SELECT rowid" in text for text in statements)


def test_meta_of_the_go_program_stays_as_it_is() -> None:
    assert MIGRATIONS[1].statements({"meta": META.replace("IF NOT EXISTS ", "")}) == ()
    assert MIGRATIONS[1].statements({}) == ()
