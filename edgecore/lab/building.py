"""Building a lab: its machines, cables and files, in the namespaces that the keeper has for itself."""

import os
import shutil
from ipaddress import IPv4Interface
from pathlib import Path
from typing import NamedTuple

from edgecore.errors import LabError
from edgecore.lab import plan as planned
from edgecore.lab.machine import PATH, Machine, run
from edgecore.lab.plan import LabPlan, NodePlan

_RUN = Path("/run")


class Site(NamedTuple):
    """The machines of a lab that was built, by name: nodes, and their containers as ``NODE-box``."""

    lan: Machine
    cloud: Machine
    machines: dict[str, Machine]


def build(lab: LabPlan) -> Site:
    """Build it. To be called where the mounts are nobody else's. Raises ``LabError`` and ``OSError``."""
    lab.host_etc.mkdir()
    # Recursive, since a container has single files mounted in /etc, which may not be uncovered.
    run(["mount", "--rbind", "/etc", str(lab.host_etc)])
    run(["mount", "-o", "remount,bind,ro", str(lab.host_etc)])
    lan = Machine("lan")
    lan.run(*planned.lan_commands())
    cloud = Machine("cloud")
    cloud.plug_into(lan, "lan", planned.on_lan(planned.CLOUD), planned.LAN.ip)
    machines: dict[str, Machine] = {}
    for node in lab.nodes:
        machines[node.name] = machine = _node(lab, node, lan)
        machines[node.box] = _box(lab, node, machine)
    return Site(lan, cloud, machines)


def container(lab: LabPlan, node: NodePlan, machine: Machine, name: str, address: str) -> Machine:
    """Return a machine that hangs on a node's docker0 as a container does, with the node's resolv.conf.

    Raises ``LabError`` and ``OSError`` with nothing left.
    """
    try:
        place = IPv4Interface(f"{address}/{planned.DOCKER0.network.prefixlen}")
    except ValueError as error:
        raise LabError(f"cannot make the container {name}: {error}") from error
    made = Machine(name)
    try:
        made.plug_into(machine, "docker0", place, planned.DOCKER0.ip)
        files = planned.etc_files(lab, name, address)
        made.give_etc(files, lab.root / "containers" / f"{made.holder}-{name}" / "etc", lab.host_etc)
        _own_run(lab, made)
    except BaseException:
        made.end()
        raise
    return made


def _node(lab: LabPlan, node: NodePlan, lan: Machine) -> Machine:
    machine = Machine(node.name)
    machine.plug_into(lan, "lan", planned.on_lan(node.address), planned.LAN.ip)
    machine.run(*planned.docker_commands())
    if shutil.which("nft", path=PATH):
        machine.run(("nft", "-f", "-"), text=planned.masquerade_rules())
    node.folder.mkdir(mode=0o700)
    node.config.write_text(planned.configuration(lab, node))
    node.config.chmod(0o600)
    files = planned.etc_files(lab, node.name, str(node.address))
    machine.give_etc(files, node.folder / "etc", lab.host_etc, {planned.KUBEEDGE: node.config})
    _own_run(lab, machine)
    return machine


def _box(lab: LabPlan, node: NodePlan, machine: Machine) -> Machine:
    return container(lab, node, machine, node.box, str(planned.BOX.ip))


def _own_run(lab: LabPlan, machine: Machine) -> None:
    """Have an empty ``/run``, with no caches and locks of the host's programs, unless the lab itself is in it."""
    inside = [path for path in (lab.root, Path.cwd(), Path(os.__file__)) if path.resolve().is_relative_to(_RUN)]
    if not inside:
        machine.run(("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(_RUN)))
        return
    for name in planned.HIDDEN:
        if (_RUN / name).is_dir():
            machine.run(("mount", "-t", "tmpfs", "none", str(_RUN / name)))
