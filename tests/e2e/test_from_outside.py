"""The look from outside, which every run of the tests takes: what a test leaves on the machine fails the run."""

import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.namespaces
ROOT = Path(__file__).parents[2]
QUICK = "tests/unit/test_ids.py"


@pytest.mark.parametrize(
    ("left", "processes"),
    [
        ("true", 0),
        ("nft add table ip left", 0),
        ("ip link add left type bridge", 2),
    ],
)
def test_what_a_run_of_the_tests_leaves_on_the_machine_fails_it(
    nets: Any, tmp_path: Path, left: str, processes: int
) -> None:
    if processes:
        pytest.importorskip("xdist")
    net = nets.make("machine")
    hook = f"def pytest_collection_finish(session):\n    subprocess.run({left.split()!r}, stderr=-3)\n"
    (tmp_path / "careless.py").write_text(f"import subprocess\n{hook}")
    command = [sys.executable, "-m", "pytest", "-p", "careless", "-p", "no:cacheprovider", QUICK]
    done = net.run(
        ["env", "--chdir", ROOT, *command, *(["-n", str(processes)] if processes else [])],
        check=False,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "HOME": str(tmp_path)},
    )
    is_clean = left == "true"
    assert done.returncode == (0 if is_clean else 1), done.stdout + done.stderr
    assert " passed" in done.stdout
    assert ("this machine is not as it was before the tests" in done.stdout) != is_clean
    assert is_clean or any(line[:1] == "+" and "left" in line for line in done.stdout.splitlines()), done.stdout
