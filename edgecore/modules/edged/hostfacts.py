"""Reading what the machine is."""

import os
import platform
from pathlib import Path

from edgecore.modules.edged.nodestatus import HostFacts

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
LONGEST_ID = 64


def read_host_facts(root: Path = Path("/"), storage: Path | None = None) -> HostFacts:
    """Read the facts of this machine; what cannot be read is empty or zero.

    ``storage`` is where the node keeps what it has. The ids are those that the kubelet tells (cadvisor
    ``machine/info.go``).
    """
    uname = platform.uname()
    machine_id = _line(root / "etc/machine-id") or _line(root / "var/lib/dbus/machine-id")
    return HostFacts(
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=_memory_mib(_text(root / "proc/meminfo")),
        kernel=uname.release,
        os_image=_os_image(_text(root / "etc/os-release")) or uname.system,
        operating_system=uname.system.lower(),
        architecture=ARCHITECTURES.get(uname.machine, uname.machine),
        machine_id=machine_id,
        system_uuid=_line(root / "sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=_line(root / "proc/sys/kernel/random/boot_id"),
        storage_kib=_storage_kib(storage or root),
    )


def _line(path: Path) -> str:
    """Return the first line of a file; nothing where it is no id."""
    line = _text(path).partition("\n")[0].strip()
    return line if len(line) <= LONGEST_ID and line.isprintable() else ""


def _storage_kib(path: Path) -> int:
    while True:
        try:
            found = os.statvfs(path)
        except FileNotFoundError:  # it is yet to be made
            if path == path.parent:
                return 0
            path = path.parent
        except OSError:
            return 0
        else:
            return found.f_blocks * found.f_frsize // 1024


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _memory_mib(meminfo: str) -> int:
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal" and value.split()[:1] and value.split()[0].isdecimal():
            return int(value.split()[0]) // 1024
    return 0


def _os_image(os_release: str) -> str:
    for line in os_release.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip('"')
    return ""
