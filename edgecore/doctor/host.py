"""The machine itself: forwarding, what an old EdgeMesh left, Python, the clock, room on the disk (pure)."""

from datetime import UTC, datetime
from typing import NamedTuple

from edgecore.doctor.finding import Finding

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
ROUTES = "/proc/net/route"
SYNCHRONISED = "/run/systemd/timesync/synchronized"

PYTHON = (3, 11)
_GO_SUBNET = "0000FB09"  # 9.251.0.0, as the kernel writes it on machines of little end
_MIB = 1 << 20
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 200 * _MIB, 10 * _MIB
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""A machine without a battery starts long before it, at 1970 or when its system was built."""


class Room(NamedTuple):
    """What is free where the node keeps its file."""

    directory: str
    free_bytes: int
    free_files: int | None
    """``None``: this file system does not count."""


def check_ip_forward(text: str | None) -> list[Finding]:
    """Say what ``net.ipv4.ip_forward`` means: KubeEdge's guide asks for 1."""
    if text is None:
        return [Finding("note", "ip_forward", "cannot see net.ipv4.ip_forward; this node does not need it")]
    if text.strip() == "0":
        return [
            Finding(
                "note",
                "ip_forward",
                "net.ipv4.ip_forward is 0; that is needed for interception and for containers alone, not by this node",
                "echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/90-edgemesh.conf; sudo sysctl --system",
            )
        ]
    return [Finding("ok", "ip_forward", f"net.ipv4.ip_forward is {text.strip()}")]


def check_leftovers(routes: str | None) -> list[Finding]:
    """Say whether a Go edgecore left its route behind: its EdgeMesh does not clean up when it ends."""
    lines = (line.split() for line in (routes or "").splitlines()[1:])
    interfaces = [words[0] for words in lines if len(words) > 1 and words[1] == _GO_SUBNET and words[0] != "*"]
    if not interfaces:
        return []
    text = f"there is a route to 9.251.0.0/16 by {interfaces[0]}, which the EdgeMesh of a Go edgecore has or left"
    advice = (
        "where that does not run any more: sudo ip route del 9.251.0.0/16; sudo iptables -t nat -S | grep EDGE-MESH"
        " shows its rules"
    )
    return [Finding("note", "leftovers", text, advice)]


def check_python(version: tuple[int, int], text: str) -> list[Finding]:
    """Say whether the interpreter will do."""
    if version >= PYTHON:
        return [Finding("ok", "python", f"Python {text}")]
    wanted = ".".join(map(str, PYTHON))
    return [Finding("problem", "python", f"Python {text} is older than {wanted}", f"run edgecore by python{wanted}")]


def check_clock(now: datetime, *, is_synchronised: bool | None, newest_file: datetime | None) -> list[Finding]:
    """Say whether the clock can be right: certificates have dates.

    ``is_synchronised`` is what systemd-timesyncd says, ``None`` where that does not run; ``newest_file`` when the node
    last wrote its file.
    """
    advice = "timedatectl set-ntp true (or set the time by hand: sudo date -s ...)"
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    if now < _EARLIEST:
        text = f"the clock says {shown}, which cannot be: certificates are not good yet by that"
        return [Finding("problem", "clock", text, advice)]
    if newest_file is not None and newest_file > now and (newest_file - now).total_seconds() > 3600:
        text = f"the clock says {shown}, before the node last wrote its file ({newest_file:%Y-%m-%d %H:%M} UTC)"
        return [Finding("warning", "clock", text, advice)]
    if is_synchronised is False:
        return [Finding("note", "clock", f"the clock says {shown}; nobody has set it by a time server so far", advice)]
    return [Finding("ok", "clock", f"the clock says {shown}")]


def check_room(room: Room | None) -> list[Finding]:
    """Say whether there is room for the database."""
    if room is None:
        return [Finding("note", "disk", "cannot see how much room the disk has")]
    advice = f"remove what is not needed; see: df -h {room.directory}; du -xh {room.directory} | sort -h | tail"
    text = f"{room.free_bytes // _MIB} MiB are free in {room.directory}"
    if room.free_files is not None and room.free_files < 100:
        return [Finding("problem", "disk", f"{room.directory} has room for {room.free_files} more files", advice)]
    if room.free_bytes < _TOO_LITTLE_BYTES:
        return [Finding("problem", "disk", f"{text}: the node cannot store what the cloud sends", advice)]
    if room.free_bytes < _LITTLE_BYTES:
        return [Finding("warning", "disk", text, advice)]
    return [Finding("ok", "disk", text)]
