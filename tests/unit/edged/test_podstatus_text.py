"""The text of a pod's status, which the Go edgecore compares with that of the row before it sends anything."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.gojson import marshal
from edgecore.kube import decode_pod
from edgecore.modules.edged.podstatus import Observed, Refusal, request
from edgecore.modules.edged.runtime import ContainerState
from edgecore.modules.edged.storedstatus import remembered
from gostructs import POD_STATUS_REQUEST, go_text

DATA = Path(__file__).parents[2] / "data"
DUMPS = sorted(path.name for path in DATA.glob("*_db*.txt"))


def _recorded() -> list[str]:
    """Return the text of every podstatus row that the Go edgecore kept."""
    lines = [line for name in DUMPS for line in (DATA / name).read_text().splitlines() if '"podstatus"' in line]
    return sorted({json.loads(line)[2] for line in lines})


@pytest.mark.parametrize("text", _recorded())
def test_the_rules_for_go_structs_give_the_texts_that_go_wrote(text: str) -> None:
    assert go_text(POD_STATUS_REQUEST, text) == text


def _seen(text: str) -> Observed:
    """Return what was observed, by a recorded status."""
    before = remembered(text.encode())
    recorded = before.request
    status = recorded["Status"]
    pod = {
        "metadata": {"name": recorded["Name"], "namespace": "default", "uid": before.uid},
        "spec": {"containers": [{"name": "nginx"}]},
        "status": {"qosClass": status.get("qosClass", "BestEffort")},
    }
    return Observed(
        decode_pod(msgspec.json.encode(pod)),
        before.containers,
        status.get("hostIP", ""),
        before.pod_ip,
        before.started_at,
    )


@pytest.mark.parametrize("text", [text for text in _recorded() if '"phase":"Running"' in text])
def test_a_running_pod_is_the_text_that_go_wrote_but_for_its_transition_times(text: str) -> None:
    built = request(_seen(text))
    for condition in built["Status"]["conditions"]:
        condition["lastTransitionTime"] = None  # ED5
    assert marshal(built).decode() == text


_texts = st.text(alphabet=st.sampled_from('ab<>&"\\\b\f\n\u2028é😀'), max_size=4)
_instants = st.sampled_from(("", "2026-11-20T10:17:55Z"))
_containers = st.builds(
    ContainerState,
    _texts,
    st.sampled_from(("waiting", "running", "terminated")),
    image=_texts,
    image_id=_texts,
    container_id=_texts,
    started_at=_instants,
    finished_at=_instants,
    exit_code=st.integers(0, 255),
    reason=_texts,
    restarts=st.integers(0, 3),
)
_pods = st.builds(
    lambda name, uid, qos: decode_pod(
        msgspec.json.encode(
            {
                "metadata": {"name": name, "namespace": "default", "uid": uid},
                "spec": {"containers": [{"name": "a"}]},
                "status": {"qosClass": qos},
            }
        )
    ),
    _texts,
    _texts,
    _texts,
)
_observed = st.builds(
    Observed,
    _pods,
    st.lists(_containers, min_size=1, max_size=3).map(tuple),
    _texts,
    _texts,
    _instants,
    st.none() | st.builds(Refusal, _texts, _texts),
)


@given(_observed)
def test_a_go_program_that_reads_a_status_of_ours_writes_the_same_text(seen: Observed) -> None:
    text = marshal(request(seen)).decode()
    assert go_text(POD_STATUS_REQUEST, text) == text
