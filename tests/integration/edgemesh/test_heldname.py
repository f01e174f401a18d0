"""A name is held by one process of a machine, by a socket or, where there are no abstract sockets, by a file."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgecore.modules.edgemesh.heldname import hold_name

NAME = f"test/{os.getpid()}"
HOLDER = """
import sys
from edgecore.modules.edgemesh.heldname import hold_name
sys.platform = sys.argv[2]
held = hold_name(sys.argv[1])
assert held
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["linux", "other"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(sys, "platform", request.param)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return str(request.param)


def test_a_name_is_held_once_and_can_be_held_again_when_it_was_let_go(platform: str) -> None:
    held = hold_name(NAME)
    assert held is not None
    assert hold_name(NAME) is None
    other = hold_name(f"{NAME}/other")
    assert other is not None
    other.close()
    held.close()
    held.close()

    again = hold_name(NAME)

    assert again is not None
    again.close()


def test_a_process_that_is_killed_lets_its_name_go(platform: str) -> None:
    command = [sys.executable, "-c", HOLDER, NAME, platform]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert hold_name(NAME) is None
        process.kill()

    held = hold_name(NAME)

    assert held is not None
    held.close()


def test_a_lock_file_that_is_a_link_is_not_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    target = tmp_path / "precious"
    (tmp_path / "edgecore-pool-one.lock").symlink_to(target)

    with pytest.raises(OSError, match="edgecore-pool-one"):
        hold_name("pool/one")

    assert not target.exists()
