"""Reading what the machine is."""

import os
import platform
from pathlib import Path

from edgecore.modules.edged.nodestatus import HostFacts

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def read_host_facts(root: Path = Path("/")) -> HostFacts:
    """Read the facts of this machine; what cannot be read is empty or zero."""
    uname = platform.uname()
    return HostFacts(
        cpus=os.cpu_count() or 1,
        memory_mib=_memory_mib(_text(root / "proc/meminfo")),
        kernel=uname.release,
        os_image=_os_image(_text(root / "etc/os-release")) or uname.system,
        operating_system=uname.system.lower(),
        architecture=ARCHITECTURES.get(uname.machine, uname.machine),
    )


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
