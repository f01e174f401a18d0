"""``edgecore lab`` on a machine that has iptables and no nftables."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from interceptplace import HIDDEN

pytestmark = [pytest.mark.namespaces("iptables"), pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


def test_every_step_of_the_guide_holds_by_iptables_alone(nets: Any, tmp_path: Path) -> None:
    machine = nets.make("machine")
    for tool in ("nft", "libnftables"):
        for path in HIDDEN[tool]():
            machine.run(["mount", "--bind", "/dev/null", path])
    command = [sys.executable, "-m", "edgecore", "lab", "--root", tmp_path / "lab", "--json"]
    done = machine.run(["env", "--chdir", ROOT, *command], check=False, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert record["held"]
    assert "unreachable" not in machine.run(["ip", "route"]).stdout
