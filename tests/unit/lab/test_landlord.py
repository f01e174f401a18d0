"""A lab's directory: what is removed there, and what is not."""

import fcntl
import os
from pathlib import Path

import pytest

from edgecore.errors import LabError
from edgecore.lab import landlord
from edgecore.lab.landlord import Lab
from edgecore.lab.plan import plan


def test_a_directory_with_files_of_others_is_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all my work")
    lab = Lab(tmp_path)
    lab.clear()
    with pytest.raises(LabError, match=r"cannot build a lab in .*: the directory has other files; name another one"):
        lab.start(plan(tmp_path), tied=False)
    assert (tmp_path / "thesis.txt").exists()


def test_what_a_lab_left_is_removed_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    outside, root = tmp_path / "etc", tmp_path / "lab"
    outside.mkdir()
    (outside / "passwd").touch()
    (root / "edge-node-a/etc").mkdir(parents=True)
    (root / "edge-node-a/etc/host").symlink_to(outside)
    (root / "lab").touch()
    Lab(root).clear()
    assert not root.exists()
    assert (outside / "passwd").exists()


def test_nothing_is_removed_where_something_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").touch()
    monkeypatch.setattr(landlord, "_mounts", lambda: [Path("/"), tmp_path / "host-etc"])
    with pytest.raises(LabError, match="something is mounted there; leave the shells of the lab first"):
        Lab(tmp_path).clear()
    assert (tmp_path / "lab").exists()


def test_a_lab_that_is_not_there_says_how_to_build_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert not lab.is_running()
    assert not lab.end()
    for ask in (lab.view, lambda: lab.command(7, ["true"]), lambda: lab.change("cut", "edge-node-a")):
        with pytest.raises(LabError, match="none runs there; build one with `edgecore lab up`"):
            ask()


def test_a_directory_where_a_lab_is_being_built_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlord, "START_TIMEOUT_S", 0.0)
    root = tmp_path / "lab"
    root.mkdir()
    with (root / "lab").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for refused in (Lab(root).clear, Lab(root).end, lambda: Lab(root).start(plan(root), tied=False)):
            with pytest.raises(LabError, match="a lab is being built there, or has not ended; try again soon"):
                refused()
        assert (root / "lab").exists()
    Lab(root).clear()
    assert not root.exists()


def test_a_lab_is_not_ended_from_one_of_its_own_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").touch()
    lab = Lab(tmp_path)
    monkeypatch.setattr(lab, "_keeper", os.getpid)  # a process of this namespace, as the keeper is in the lab's shells
    with pytest.raises(LabError, match="this shell is one of its own, and would end with it; leave the shell first"):
        lab.end()
    assert (tmp_path / "lab").exists()
