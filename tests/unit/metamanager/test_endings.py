"""How a message ended, as the ledger is told."""

import pytest

from edgecore.modules.metamanager.endings import Ending, ending_of
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    AskCloud,
    AskEdged,
    Connection,
    Fault,
    Forward,
    Reply,
    Report,
    ReportPods,
    Step,
    ToCloud,
)

TO_EDGED = (Forward("edged"), Acknowledge())


@pytest.mark.parametrize(
    ("operation", "steps", "ending"),
    [
        ("insert", TO_EDGED, Ending("acknowledged")),
        ("insert", (Fault("unknown_resource_type"), *TO_EDGED), Ending("acknowledged")),
        ("response", (Forward("edged"),), Ending("delivered")),
        ("response", (), Ending("delivered")),
        ("error", (Fault("error_reported"),), Ending("delivered")),
        ("publish", (Connection(True),), Ending("delivered")),
        ("meta-internal-sync", (ReportPods(),), Ending("delivered")),
        ("action", (Fault("no_edgefunction"),), Ending("dropped", "no_edgefunction")),
        ("publish", (Fault("unknown_resource"),), Ending("dropped", "unknown_resource")),
        ("query", (AnswerLocally("k", "t", "n"),), Ending("delivered")),
        ("query", (Fault("wrong_resource"), Report("text")), Ending("dropped", "wrong_resource")),
        ("insert", (Reply(None),), Ending("delivered")),
        ("update", (ToCloud(), Reply("OK")), Ending("delivered")),
        ("update", (Fault("unknown_source"),), Ending("dropped", "unknown_source")),
        ("update", (Fault("wrong_content"), Report("text")), Ending("dropped", "wrong_content")),
        ("update", (Report("the file refuses"),), Ending("dropped", "store_refused")),
    ],
)
def test_each_kind_of_message_ends_in_its_way(operation: str, steps: tuple[Step, ...], ending: Ending) -> None:
    assert ending_of(operation, steps) == ending


def test_a_question_to_the_cloud_has_not_ended() -> None:
    assert ending_of("query", (AskCloud(),)) is None


def test_a_question_to_edged_has_not_ended() -> None:
    assert ending_of("createvolume", (AskEdged(),)) is None
