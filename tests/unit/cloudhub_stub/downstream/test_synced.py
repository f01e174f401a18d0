"""The book of what nodes have."""

from cloudhub_stub.downstream.synced import LISTS, REMOVED, UNKNOWN, Synced
from cloudhub_stub.store.cluster import SyncedKey, SyncedRow

WEB = SyncedKey("service", "default", "web")


def test_what_is_sent_is_not_there_yet() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    assert synced.get("edge", WEB) == SyncedRow("u", "5", "")


def test_what_has_arrived_is_there() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    synced.reached("edge", WEB, "5")
    synced.sent("edge", WEB, "u", "6")
    assert synced.get("edge", WEB) == SyncedRow("u", "6", "5")


def test_what_was_removed_is_forgotten_once_that_has_arrived() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", REMOVED)
    synced.reached("edge", WEB, REMOVED)
    assert synced.of("edge") == {}


def test_a_removal_that_arrives_behind_something_newer_forgets_nothing() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", REMOVED)
    synced.sent("edge", WEB, "v", "9")
    synced.reached("edge", WEB, REMOVED)
    assert synced.get("edge", WEB) == SyncedRow("v", "9", "")


def test_what_arrived_before_the_newest_and_is_heard_of_later_changes_nothing() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    synced.sent("edge", WEB, "u", "6")
    synced.reached("edge", WEB, "6")
    synced.reached("edge", WEB, "5")
    assert synced.get("edge", WEB) == SyncedRow("u", "6", "6")


def test_what_is_in_doubt_is_neither_there_nor_away() -> None:
    synced = Synced()
    synced.has("edge", WEB, "u", "5")
    synced.doubt("edge", WEB)
    assert synced.get("edge", WEB) == SyncedRow("u", "5", UNKNOWN)


def test_what_never_arrived_stays_away_in_doubt() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    synced.doubt("edge", WEB)
    assert synced.get("edge", WEB) == SyncedRow("u", "5", "")


def test_each_row_is_stored_once_in_its_newest_state() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    synced.reached("edge", WEB, "5")
    assert [statement.params for statement in synced.statements()] == [("edge", *WEB, "u", "5", "5")]
    assert list(synced.statements()) == []


def test_a_row_that_was_not_stored_after_all_is_stored_again() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    unstored = synced.unstored
    list(synced.statements())
    synced.reached("edge", WEB, "5")
    list(synced.statements())
    synced.store_again(unstored)
    assert [statement.params for statement in synced.statements()] == [("edge", *WEB, "u", "5", "5")]


def test_lists_are_forgotten_alone() -> None:
    synced = Synced()
    synced.sent("edge", WEB, "u", "5")
    synced.sent("edge", LISTS._replace(name="servicelist"), "", "listed")
    synced.forget_lists("edge")
    assert list(synced.of("edge")) == [WEB]
    assert [statement.sql[:6] for statement in synced.statements()] == ["INSERT", "DELETE"]
