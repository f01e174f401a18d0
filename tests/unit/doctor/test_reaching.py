from datetime import UTC, datetime

import pytest

from edgecore.doctor.files import check_rows
from edgecore.doctor.reaching import (
    Reached,
    check_broker,
    check_cloud,
    check_libraries,
    check_open_files,
    check_own_broker,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reached", "level", "words"),
    [
        (Reached(), "ok", "answers"),
        (Reached(not_after=datetime(2027, 11, 22, tzinfo=UTC).timestamp()), "ok", "until 2027-11-22"),
        (Reached(not_after=datetime(2026, 12, 1, tzinfo=UTC).timestamp()), "warning", "ends on 2026-12-01"),
        (Reached("Connection refused"), "warning", "cannot be reached: Connection refused"),
        (Reached("its certificate is not good: unable to get local issuer certificate"), "problem", "not good"),
    ],
)
def test_the_cloud_answers_or_it_is_said_why_not(reached: Reached, level: str, words: str) -> None:
    (found,) = check_cloud("websocket", "wss://192.0.2.1:10000", reached, NOW, "modules.edgeHub.websocket.server")
    assert (found.level, words in found.text, bool(found.advice)) == (level, True, level != "ok")


def test_a_broker_that_is_not_there_is_a_note_with_what_to_install() -> None:
    assert check_broker("tcp://127.0.0.1:1883", Reached()).level == "ok"
    found = check_broker("tcp://127.0.0.1:1883", Reached("Connection refused"))
    assert (found.level, "apt install mosquitto" in found.advice) == ("note", True)


def test_a_broker_of_its_own_that_cannot_be_is_a_problem() -> None:
    assert check_own_broker("tcp://127.0.0.1:1884", "").level == "ok"
    found = check_own_broker("tcp://127.0.0.1:1884", "cannot start it: there is no amqtt; make an environment")
    assert (found.level, found.text, found.advice) == (
        "problem",
        "cannot start it: there is no amqtt",
        "make an environment",
    )


@pytest.mark.parametrize(("limit", "level"), [(None, "ok"), (65536, "ok"), (1024, "warning")])
def test_few_open_files_are_told_of(limit: int | None, level: str) -> None:
    assert [found.level for found in check_open_files(limit)] == [level]


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (["aiohttp>=3.12", "uvloop>=0.22; sys_platform != 'win32'"], {"aiohttp": "3.12.1", "uvloop": "0.22"}, ["ok"]),
        (["aiohttp>=3.12"], {"aiohttp": "3.9.5"}, ["problem"]),
        (["aiohttp>=3.12", "PyYAML>=6.0.2"], {"aiohttp": "4.0rc1"}, ["problem"]),
        (["mypy>=1.18; extra == 'dev'", "yarl>=1.18"], {"yarl": "1.18"}, ["ok"]),
        ([], {}, ["note"]),
    ],
)
def test_libraries_are_compared_by_their_numbers(wanted: list[str], found: dict[str, str], told: list[str]) -> None:
    assert [one.level for one in check_libraries(wanted, found)] == told


def test_of_many_faults_of_a_database_the_first_are_told_each_with_its_way_out() -> None:
    assert check_rows("x.db", []) == []
    assert [found.level for found in check_rows("x.db", None)] == ["note"]
    found = check_rows("x.db", [(f"fault {number}", "") for number in range(5)])
    assert [one.text for one in found] == ["x.db: fault 0", "x.db: fault 1", "x.db: fault 2", "and 2 more faults"]
    assert all(one.advice for one in found)
