"""Command lines about the cluster that are refused before the stub is asked, and what is put into questions."""

from pathlib import Path

import pytest

from cloudhub_stub.cli import main
from cloudhub_stub.cli.apply import batches
from cloudhub_stub.cluster.manifests import Manifest

SERVICE = "{kind: Service, apiVersion: v1, metadata: {name: web}}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply"],
        ["apply", "x.yaml"],
        ["delete"],
        ["delete", "pods"],
        ["delete", "pods", "a", "--all"],
        ["delete", "pods", "a", "-l", "a=b"],
        ["delete", "pods", "-l", "a=b", "--all"],
        ["delete", "pods", "a", "-A"],
        ["delete", "pods", "a", "--grace-period", "-1"],
        ["delete", "pods", "a", "--grace-period", "5", "--force"],
        ["delete", "pods", "a", "--timeout", "inf"],
        ["delete", "pods", "a", "--timeout", "86401"],
        ["delete", "-f", "x.yaml", "pods", "a"],
        ["delete", "-f", "x.yaml", "--all"],
        ["get"],
        ["get", "pds"],
        ["get", "pods", "-o", "xml"],
        ["get", "pods", "-A", "-n", "shop"],
        ["get", "pods", "a", "-A"],
        ["get", "pods", "a", "-l", "a=b"],
        ["get", "pods,svc", "-w"],
        ["get", "pods", "a", "b", "-w"],
        ["describe", "pod/"],
        ["describe", "pod", "a", "-l", "a=b"],
        ["scale", "deployment", "web"],
        ["scale", "deployment", "--replicas", "1"],
        ["scale", "pod", "a", "--replicas", "1"],
        ["scale", "deployment", "web", "--replicas", "-1"],
        ["scale", "deployment", "web", "--replicas", "2147483648"],
        ["scale", "deployment", "web", "--replicas", "1", "--current-replicas", "x"],
        ["messages"],
        ["messages", "edge-1", "-o", "yaml"],
    ],
)
def test_wrong_usage_is_exit_code_2_with_the_reason(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert f"usage: cloudhub-stub {arguments[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["delete", "pod", "a"],
        ["delete", "-n", "shop", "pod", "--wait", "a", "--force", "b"],
        ["get", "-n", "shop", "pod", "-o", "wide", "a", "--no-headers", "b"],
        ["scale", "--replicas", "1", "deploy", "--current-replicas", "2", "web"],
        ["get", "pods"],
        ["get", "pods", "-w"],
        ["describe", "pods"],
        ["scale", "deploy/web", "--replicas", "1"],
        ["messages", "edge-1"],
    ],
)
def test_without_a_running_stub_the_way_to_start_one_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--state-dir", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert str(tmp_path / "control.sock") in complaint
    assert "cloudhub-stub run" in complaint


@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_a_file_that_cannot_be_read_is_named(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "-f", str(tmp_path / "none.yaml"), "--state-dir", str(tmp_path)]) == 1
    assert "none.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_files_without_a_manifest_are_a_failure(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.yaml").write_text("---\n")
    assert main([verb, "-f", str(tmp_path / "empty.yaml"), "--state-dir", str(tmp_path)]) == 1
    assert "cannot find a manifest in" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_a_manifest_of_another_namespace_is_refused(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("{kind: Service, apiVersion: v1, metadata: {name: web, namespace: other}}")
    assert main([verb, "-f", str(tmp_path / "a.yaml"), "-n", "shop", "--state-dir", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert "a.yaml" in complaint
    assert "it is for namespace 'other', and -n says 'shop'" in complaint


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ("{kind: Thing, apiVersion: v1, metadata: {name: x}}", "kind: 'Thing' is not known here"),
        ("{kind: Service, apiVersion: v1, metadata: {}}", "a name is due"),
        ("{kind: Service, apiVersion: v1, metadata: {name: 5}}", "a name is due"),
        ("{kind: Service, apiVersion: v1, metadata: {name: x, namespace: [y]}}", "name and namespace are texts"),
        ("{kind: Service, apiVersion: v1, metadata: x}", "a name is due"),
    ],
)
def test_a_manifest_that_names_no_object_cannot_be_deleted(
    manifest: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(f"{SERVICE}\n---\n{manifest}")
    assert main(["delete", "-f", str(tmp_path / "a.yaml"), "--state-dir", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert "document 2" in complaint
    assert why in complaint


def test_many_manifests_are_sent_in_lots_that_keep_their_order() -> None:
    manifests = [Manifest(f"a.yaml, document {n}", {"n": n}) for n in range(1201)]
    lots = list(batches(manifests))
    assert [len(lot) for lot in lots] == [500, 500, 201]
    assert [manifest for lot in lots for manifest in lot] == manifests


def test_large_manifests_are_sent_in_smaller_lots() -> None:
    manifests = [Manifest("a.yaml", {"text": "x" * 9_000_000})] * 3
    assert [len(lot) for lot in batches(manifests)] == [1, 1, 1]


def test_nothing_is_no_lot() -> None:
    assert list(batches([])) == []
