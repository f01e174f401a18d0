"""A service on two edges, as the README tells: each of its lines, in its order, with what it prints."""

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shells import ROOT
from terminals import HTTPS, LISTEN, Step, Terminals, blocks_of

WEB = "8080"
"""The port of the nginx that stands for both."""
STARTS, REST = blocks_of("README.md", "A service on two edges")


@pytest.fixture
def terminals(free_port: Callable[[], int]) -> Iterator[Terminals]:
    """Not below ``tmp_path``: the path of a control socket may not be long."""
    with tempfile.TemporaryDirectory(prefix="readme-") as place:
        own = {LISTEN: f"127.0.0.1:{free_port()}", HTTPS: f"127.0.0.1:{free_port()}", WEB: str(free_port())}
        terminals = Terminals(Path(place), own)
        try:
            yield terminals
        finally:
            codes = terminals.stop()
        assert set(codes[:-1]) == {0}, codes


def test_the_readme_tells_what_this_test_does() -> None:
    assert [program(step) for step in STARTS] == ["cloudhub-stub", *["cloudhub-stub", "edgecore"] * 2, "python3"]
    assert [step.line for step in REST if "cloudhub-stub" not in step.line] == [
        'eval "$(.venv/bin/edgecore env --config ~/edge-b/edgecore.yaml)"',
        "curl http://nginx-svc.default.svc.cluster.local:12345/README.md",
        "unset http_proxy",
    ]


def program(step: Step) -> str:
    return Path(shlex.split(step.line)[0]).name


@pytest.mark.needs_curl
@pytest.mark.timeout(120)
def test_a_newcomer_comes_from_nothing_to_a_service_on_two_edges(terminals: Terminals) -> None:
    for step in STARTS:
        if "join" in step.line:
            terminals.wait_for(".venv/bin/cloudhub-stub token")
            joined = terminals.sh(step.line)
            assert joined.returncode == 0, joined.stderr
        else:
            terminals.start(step.line)

    lines = [step.line for step in REST]
    shell = lines.index("unset http_proxy") - 2
    for step in REST[: shell - 1]:
        terminals.prints(step)
    told = terminals.sh(lines[shell - 1])
    assert re.search(r"acknowledged +update +default/pod/nginx-deployment-\S+", told.stdout), told.stdout
    page = terminals.wait_for(*lines[shell : shell + 2])
    assert page == (ROOT / "examples/manifests/README.md").read_text()
    terminals.prints(REST[-1])
    assert len(REST) == shell + 4
