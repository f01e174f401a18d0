"""Reading what the machine is; what cannot be read is empty or zero."""

from pathlib import Path

import pytest

from edgecore.modules.edged.hostfacts import read_host_facts


def _root(tmp_path: Path, meminfo: str = "", os_release: str = "") -> Path:
    for name, text in (("proc/meminfo", meminfo), ("etc/os-release", os_release)):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_this_machine_has_memory_a_kernel_and_a_processor() -> None:
    facts = read_host_facts()
    assert facts.cpus >= 1
    assert facts.memory_mib > 0
    assert facts.kernel
    assert facts.operating_system == "linux"
    assert facts.architecture not in ("x86_64", "aarch64")


@pytest.mark.parametrize(
    ("meminfo", "mib"),
    [
        ("MemTotal:       24683676 kB\nMemFree: 1 kB\n", 24105),
        ("MemFree: 1 kB\nMemTotal: 2048 kB", 2),
        ("MemTotal:\n", 0),
        ("MemTotal: much kB\n", 0),
        ("", 0),
    ],
)
def test_memory_is_read_in_mib(tmp_path: Path, meminfo: str, mib: int) -> None:
    assert read_host_facts(_root(tmp_path, meminfo)).memory_mib == mib


@pytest.mark.parametrize("line", ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"', "PRETTY_NAME=Alpine"])
def test_the_image_is_the_pretty_name(tmp_path: Path, line: str) -> None:
    image = read_host_facts(_root(tmp_path, os_release=f"ID=x\n{line}\n")).os_image
    assert image in ("Debian GNU/Linux 12 (bookworm)", "Alpine")


def test_without_files_the_facts_are_those_of_the_system_call(tmp_path: Path) -> None:
    facts = read_host_facts(tmp_path)
    assert facts.memory_mib == 0
    assert facts.os_image == "Linux"
