"""Commands without a node: the plan for its mode, and what holds where nothing is configured."""

from pathlib import Path

import pytest

from edgecore.cli import main
from edgecore.config import load


@pytest.mark.parametrize(
    ("mode", "first"),
    [
        ("intercept", "# when the node starts"),
        ("auto", "# modules.edgeMesh.mode is auto: done only if the file names an interface that is there"),
        ("rootless", "# modules.edgeMesh.mode is rootless: nothing of this is done"),
    ],
)
def test_a_plan_says_first_if_it_may_not_be_carried_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, first: str
) -> None:
    file = tmp_path / "edgecore.yaml"
    mesh = f"    mode: {mode}\n    intercept:\n      tool: nft\n"
    file.write_text(f"database:\n  dataSource: {tmp_path}/edgecore.db\nmodules:\n  edgeMesh:\n{mesh}")
    code = main(["intercept", "plan", "--config", str(file)])
    out = capsys.readouterr()
    if "install nftables" in out.err:
        pytest.skip("nftables is missing")
    assert (code, out.out.startswith(first)) == (0, True)


def test_without_any_configuration_it_goes_by_the_defaults_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "DEFAULT_PATH", tmp_path / "edgecore.yaml")
    code = main(["intercept", "plan"])
    out = capsys.readouterr()
    if "install nftables" in out.err:
        pytest.skip("nftables is missing")
    assert (code, "unreachable 9.251.0.0/16" in out.out) == (0, True)
    assert "going by the defaults; name another with --config" in out.err
    assert main(["intercept", "apply"]) == 1
    assert "without a node rules would lead nowhere" in capsys.readouterr().err
