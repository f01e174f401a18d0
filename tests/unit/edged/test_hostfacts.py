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


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_the_ids_are_those_that_the_kubelet_tells(tmp_path: Path) -> None:
    _write(tmp_path / "var/lib/dbus/machine-id", "from-dbus\n")
    _write(tmp_path / "proc/sys/kernel/random/boot_id", "boot\n")
    facts = read_host_facts(tmp_path)
    assert (facts.machine_id, facts.system_uuid, facts.boot_id) == ("from-dbus", "from-dbus", "boot")
    _write(tmp_path / "etc/machine-id", "machine\n")
    _write(tmp_path / "sys/class/dmi/id/product_uuid", "system\n")
    facts = read_host_facts(tmp_path)
    assert (facts.machine_id, facts.system_uuid) == ("machine", "system")


@pytest.mark.parametrize("text", ["x" * 65, "a\x00b\n", "", "\n"])
def test_what_is_no_id_is_not_told(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "etc/machine-id", text)
    assert read_host_facts(tmp_path).machine_id == ""


def test_the_storage_is_that_of_the_folder_also_before_it_is_made(tmp_path: Path) -> None:
    there = read_host_facts(storage=tmp_path).storage_kib
    assert there > 0
    assert read_host_facts(storage=tmp_path / "not/yet").storage_kib == there


def test_a_folder_below_a_file_has_no_storage(tmp_path: Path) -> None:
    _write(tmp_path / "file", "")
    assert read_host_facts(storage=tmp_path / "file/below").storage_kib == 0
