"""The first hour, as the tutorial tells: a node of one's own, what it is asked, a request by name, a device."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shells import ROOT
from terminals import HTTPS, LISTEN, Terminals, blocks_of

TUTORIAL = "docs/tutorial/first-hour.md"
POD = "127.0.0.2"
"""Where the tutorial puts what stands for a pod; here an address of which no other test knows."""
[RUN], [ASK, REQUEST], [WISH, *_] = (blocks_of(TUTORIAL, title) for title in ("Run a node", "Ask it", "A device"))


@pytest.fixture
def terminals(free_port: Callable[[], int]) -> Iterator[Terminals]:
    """Not below ``tmp_path``: the path of a control socket may not be long."""
    with tempfile.TemporaryDirectory(prefix="hour-") as place:
        own = {LISTEN: f"127.0.0.1:{free_port()}", HTTPS: f"127.0.0.1:{free_port()}", POD: "127.83.7.2"}
        own["127.0.0.3"] = "127.83.7.3"
        terminals = Terminals(Path(place), own)
        try:
            yield terminals
        finally:
            terminals.stop()


@pytest.mark.needs_curl
@pytest.mark.timeout(120)
def test_a_newcomer_asks_a_node_and_reaches_a_pod_by_name_though_the_other_is_not_there(terminals: Terminals) -> None:
    cloud, join, node, *rest = (step.line for step in RUN)
    terminals.start(cloud)
    terminals.wait_for(".venv/bin/cloudhub-stub token")
    assert terminals.sh(join).returncode == 0
    terminals.start(node)
    replay, _, ledger = rest
    assert "33 of 33 messages sent, 33 acknowledged" in terminals.wait_for(replay)
    assert "unexplained: 0" in terminals.wait_for(ledger)

    told = [terminals.wait_for(step.line) for step in ASK]
    expected = ("default +nginx-svc", "nginx-0 .* in ", "A  127", "would be answered by nginx-", "by message .*\n")
    assert [pattern for pattern, text in zip(expected, told, strict=True) if not re.search(pattern, text)] == []

    pod, way, curl, _, services = (step.line for step in REQUEST)
    terminals.start(pod)
    page = (ROOT / "examples/recordings/README.md").read_text("utf-8")
    for _ in range(2):
        assert terminals.wait_for(way, curl) == page
    assert "connect_failed" in terminals.sh(services).stdout

    wish, devices = (step.line for step in WISH)
    assert terminals.sh(wish).stdout.count(" created") == 2
    terminals.wait_for(devices)
    assert re.search(r"temperature +int +21 ", terminals.sh(devices).stdout)
