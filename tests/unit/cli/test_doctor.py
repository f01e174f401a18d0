"""The findings as text, and the one thing that the doctor mends."""

import json
from pathlib import Path

import pytest

from edgecore.cli import main
from edgecore.cli.doctor import report
from edgecore.doctor.finding import Finding
from edgecore.modules.edgemesh.dns.host import hostfile
from edgecore.modules.edgemesh.dns.resolver.resolvconf import put_first

OFFICE = b"nameserver 192.0.2.1\nsearch corp.example"


def test_each_finding_is_a_line_with_what_to_do_below_it() -> None:
    findings = [
        Finding("ok", "python", "Python 3.11.2"),
        Finding("problem", "config", "cannot use edgecore.yaml:\n  line 1: no", "mend it"),
        Finding("note", "x", "\x1b[2J"),
    ]
    assert report(findings).splitlines() == [
        "ok       python       Python 3.11.2",
        "problem  config       cannot use edgecore.yaml:",
        "                      line 1: no",
        "                      -> mend it",
        "note     x            \\x1b[2J",
        "",
        "1 problem, 0 warnings, 1 note",
    ]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edgecore.yaml"
    settings = {
        "database": {"dataSource": str(tmp_path / "edgecore.db")},
        "modules": {"edgeMesh": {"dns": {"resolvConf": str(tmp_path / "resolv.conf")}}},
    }
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture
def resolv_conf(tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_bytes(put_first(OFFICE, "127.0.0.1"))
    return path


def fix(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["doctor", "--fix-resolv-conf", "--config", str(config)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_a_resolv_conf_is_put_back_as_it_was(
    config: Path, resolv_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fix(config, capsys) == (0, f"{resolv_conf} is put back as it was\n")
    assert resolv_conf.read_bytes() == OFFICE
    assert fix(config, capsys) == (0, f"{resolv_conf} has nothing of edgecore in it\n")


def test_the_line_of_a_node_that_runs_stays(
    config: Path, resolv_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = hostfile.hold(resolv_conf)
    assert held is not None
    code, told = fix(config, capsys)
    held.close()
    assert (code, "stop that node instead" in told) == (1, True)
    assert resolv_conf.read_bytes() != OFFICE


def test_a_resolv_conf_that_is_not_there_cannot_be_put_back(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = fix(config, capsys)
    assert (code, told.startswith("edgecore: cannot change ")) == (1, True)


def test_problems_are_exit_code_3_and_json_has_all_findings(
    config: Path, resolv_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--config", str(config), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    (left,) = [finding for finding in told["findings"] if finding["check"] == "resolv_conf"]
    assert left["level"] == "problem"
    assert sum(told["counts"].values()) == len(told["findings"])
