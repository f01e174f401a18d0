"""The node's own files."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from edgecore.doctor.files import FileFacts, check_certificates, check_database
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of, to_pem

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SQLITE = b"SQLite format 3\0more"


def database(**facts: Any) -> list[str]:
    usual: dict[str, Any] = {"path": "/x/edgecore.db", "kind": "file", "mode": 0o600, "uid": 7, "head": SQLITE}
    return [finding.level for finding in check_database(FileFacts(**usual | facts), 7)]


@pytest.mark.parametrize(
    ("facts", "levels"),
    [
        ({}, ["ok"]),
        ({"head": b""}, ["ok"]),
        ({"head": None}, ["ok"]),
        ({"kind": "absent"}, ["ok"]),
        ({"kind": "absent", "closed": "/srv"}, ["warning"]),
        ({"kind": "unreadable"}, ["note"]),
        ({"kind": "directory"}, ["problem"]),
        ({"kind": "other"}, ["problem"]),
        ({"uid": 8}, ["problem"]),
        ({"mode": 0o644}, ["warning"]),
        ({"head": b"hello"}, ["problem"]),
    ],
)
def test_a_database_is_judged_by_kind_owner_mode_and_beginning(facts: dict[str, Any], levels: list[str]) -> None:
    assert database(**facts) == levels


def test_root_may_open_every_database_but_should_not_run_the_node_on_it() -> None:
    facts = FileFacts("/x/edgecore.db", "file", 0o600, 7, SQLITE)
    assert [finding.level for finding in check_database(facts, 0)] == ["note"]


@pytest.fixture(scope="module")
def ca(authority: Any) -> FileFacts:
    return FileFacts("/x/rootCA.crt", "file", 0o600, 0, authority.pem)


@pytest.fixture(scope="module")
def key() -> FileFacts:
    return FileFacts("/x/server.key", "file", 0o600, 0, new_key())


@pytest.fixture
def certificate(authority: Any, key: FileFacts) -> Any:
    """certificate(days, from_day): one that is good from that day on."""

    def make(days: int, from_day: int = 0) -> FileFacts:
        start = NOW + timedelta(days=from_day)
        der = authority.sign(request_of(key.head or b""), timedelta(days=days), start)
        return FileFacts("/x/server.crt", "file", 0o600, 0, to_pem(der))

    return make


@pytest.mark.parametrize(
    ("days", "from_day", "level", "words"),
    [
        (365, -1, "ok", "is good until 2027-"),
        (20, -1, "warning", "is good for 19 days"),
        (20, -30, "problem", "was good until"),
        (365, 2, "problem", "is the clock right?"),
    ],
)
def test_a_certificate_is_judged_by_its_dates(
    ca: FileFacts, certificate: Any, key: FileFacts, days: int, from_day: int, level: str, words: str
) -> None:
    of_ca, own = check_certificates(ca, certificate(days, from_day), key, NOW, has_token=False)
    assert of_ca.level == "ok"
    assert (own.level, words in own.text) == (level, True)


def test_files_that_are_not_there_are_a_problem_unless_there_is_a_token(ca: FileFacts) -> None:
    absent = [FileFacts(f"/x/{name}", "absent") for name in ("server.crt", "server.key")]
    for has_token, level in ((False, "problem"), (True, "note")):
        of_ca, missing = check_certificates(ca, *absent, NOW, has_token=has_token)
        assert (of_ca.level, missing.level) == ("ok", level)
        assert missing.text.startswith("/x/server.crt, /x/server.key do not exist")


def test_a_file_that_is_no_certificate_or_cannot_be_read_is_a_problem(certificate: Any, key: FileFacts) -> None:
    ca = FileFacts("/x/rootCA.crt", "file", 0o600, 0, b"hello")
    unread = key._replace(head=None)
    found = check_certificates(ca, certificate(365), unread, NOW, has_token=False)
    assert [finding.level for finding in found] == ["problem", "ok", "problem"]


def test_a_key_that_others_may_read_is_a_warning(ca: FileFacts, certificate: Any, key: FileFacts) -> None:
    found = check_certificates(ca, certificate(365), key._replace(mode=0o644), NOW, has_token=False)
    assert [finding.level for finding in found] == ["ok", "ok", "warning"]
    assert found[-1].advice == "chmod 600 /x/server.key"


def test_the_key_of_these_tests_is_one(key: FileFacts) -> None:
    assert serialization.load_pem_private_key(key.head or b"", None)
