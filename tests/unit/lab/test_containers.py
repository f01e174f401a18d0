"""Containers of pods: one that cannot be started leaves nothing, and is not tried again and again."""

from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import LabError
from edgecore.lab import building, containers
from edgecore.lab.building import container
from edgecore.lab.containers import Containers
from edgecore.lab.plan import plan
from edgecore.lab.pods import Container

ONE = Container("edge-node-a", "web-0", "172.17.0.2", (80,), (), on_host=False)


class FakeMachine:
    """One that cannot be plugged in."""

    made: list["FakeMachine"] = []  # noqa: RUF012 - emptied by the test

    def __init__(self, name: str) -> None:
        self.name = name
        self.holder = 1
        self.ended = 0
        self.made.append(self)

    def plug_into(self, *_: object) -> None:
        raise LabError("cannot run `ip link add`: no")

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def _no_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeMachine.made.clear()
    monkeypatch.setattr(building, "Machine", FakeMachine)


@pytest.mark.usefixtures("_no_machines")
@pytest.mark.parametrize("address", ["172.17.0.2", "nonsense"])
def test_a_container_that_cannot_be_made_leaves_no_machine(tmp_path: Path, address: str) -> None:
    lab = plan(tmp_path)
    with pytest.raises(LabError):
        container(lab, lab.nodes[0], FakeMachine("edge-node-a"), "web-0", address)  # type: ignore[arg-type]
    assert [made.ended for made in FakeMachine.made[1:]] == ([1] if address[0] == "1" else [])


async def test_one_that_was_refused_is_tried_again_once_it_was_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def refuse(*_: Any) -> None:
        nonlocal tries
        tries += 1
        raise LabError("cannot run `ip link add`: no")

    monkeypatch.setattr(containers, "container", refuse)
    running = Containers(plan(tmp_path), {"edge-node-a": FakeMachine("edge-node-a")})  # type: ignore[dict-item]
    for _ in range(3):
        await running.change_to(frozenset([ONE]))
    assert (tries, running.pods_of("edge-node-a")) == (1, [])
    await running.change_to(frozenset())
    await running.change_to(frozenset([ONE]))
    assert tries == 2
