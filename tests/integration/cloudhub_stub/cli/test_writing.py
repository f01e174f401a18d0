"""The commands that change something, against a stub that answers as a test says."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgecore.control.routes import ControlRefused, ControlRequest

SERVICE = "{kind: Service, apiVersion: v1, metadata: {name: web}}"
NODE = "{kind: Node, apiVersion: v1, metadata: {name: edge-1}}"
DEPLOYMENT = "{kind: Deployment, apiVersion: apps/v1, metadata: {name: web, namespace: shop}}"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Two manifests."""
    path = tmp_path / "web.yaml"
    path.write_text(f"{SERVICE}\n---\n{DEPLOYMENT}\n")
    return str(path)


def applied(request: ControlRequest) -> list[dict[str, Any]]:
    """Answer as the stub does; a manifest with ``spec`` is refused."""
    return [_applied(manifest) for manifest in request.body["manifests"]]


def _applied(manifest: dict[str, Any]) -> dict[str, Any]:
    obj = manifest["object"]
    namespace = obj["metadata"].get("namespace", "default")
    result = {"where": manifest["where"], "kind": obj["kind"], "namespace": namespace, "name": obj["metadata"]["name"]}
    return {**result, "outcome": "created"} if "spec" not in obj else {**result, "outcome": None, "error": "spec: bad"}


async def test_what_is_applied_is_named_with_its_outcome(stub: Any, run: Any, file: str) -> None:
    stub.answers["apply"] = applied
    assert await run("apply", "-f", file) == (0, "service/web created\ndeployment.apps/web created\n", "")
    ((_, body),) = stub.asked
    assert [manifest["object"]["kind"] for manifest in body["manifests"]] == ["Service", "Deployment"]
    assert body["dry_run"] is False


async def test_a_dry_run_says_so(stub: Any, run: Any, file: str) -> None:
    stub.answers["apply"] = applied
    assert (await run("apply", "-f", file, "--dry-run")).out.splitlines()[0] == "service/web created (dry run)"
    assert stub.asked[0][1]["dry_run"] is True


async def test_a_manifest_that_is_refused_is_named_and_the_others_go_on(stub: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: Service, metadata: {name: bad}, spec: 5}\n---\n" + SERVICE)
    stub.answers["apply"] = applied
    done = await run("apply", "-f", str(tmp_path / "a.yaml"))
    assert (done.code, done.out) == (1, "service/web created\n")
    assert done.err.startswith("cloudhub-stub: cannot apply service/bad (")
    assert "a.yaml" in done.err
    assert done.err.endswith("): spec: bad\n")


async def test_what_has_no_name_is_named_by_its_place(stub: Any, run: Any, file: str) -> None:
    stub.answers["apply"] = [{"where": "web.yaml", "kind": "", "namespace": "", "name": "", "error": "metadata: bad"}]
    assert (await run("apply", "-f", file)).err == "cloudhub-stub: cannot apply web.yaml: metadata: bad\n"


async def test_a_namespace_is_given_to_what_has_none(stub: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{SERVICE}\n---\n{DEPLOYMENT}\n---\n{NODE}")
    stub.answers["apply"] = applied
    await run("apply", "-f", str(tmp_path / "a.yaml"), "-n", "shop")
    metadata = [manifest["object"]["metadata"] for manifest in stub.asked[0][1]["manifests"]]
    assert [each.get("namespace") for each in metadata] == ["shop", "shop", None]


async def test_manifests_come_from_standard_input_too(stub: Any, start: Any) -> None:
    stub.answers["apply"] = applied
    process = await start("apply", "-f", "-")
    out, _ = await process.communicate(SERVICE.encode())
    assert (process.returncode, out) == (0, b"service/web created\n")


async def test_many_manifests_are_all_applied(stub: Any, run: Any, tmp_path: Path) -> None:
    objects = [{"kind": "Service", "apiVersion": "v1", "metadata": {"name": f"s{n}"}} for n in range(1001)]
    (tmp_path / "a.yaml").write_text("\n---\n".join(map(json.dumps, objects)))
    stub.answers["apply"] = applied
    done = await run("apply", "-f", str(tmp_path / "a.yaml"))
    assert done.out.splitlines() == [f"service/s{n} created" for n in range(1001)]
    assert len(stub.asked) == 3


def deleted(outcome: str, kind: str = "Pod", name: str = "a") -> dict[str, Any]:
    return {"kind": kind, "namespace": "default", "name": name, "outcome": outcome}


async def test_what_is_deleted_is_named(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleted"), deleted("deleted", name="b")]
    done = await run("delete", "pods", "a", "b", "--grace-period", "5", "--timeout", "7")
    assert done == (0, 'pod "a" deleted\npod "b" deleted\n', "")
    assert stub.asked == [
        (
            "delete",
            {
                "keys": [{"kind": "Pod", "namespace": "default", "name": name} for name in "ab"],
                "grace_s": 5,
                "ignore_not_found": False,
                "wait_s": 7.0,
            },
        )
    ]


async def test_manifests_name_what_to_delete(stub: Any, run: Any, file: str) -> None:
    stub.answers["delete"] = [deleted("deleted", "Service", "web"), deleted("deleted", "Deployment", "web")]
    assert (await run("delete", "-f", file)).out == 'service "web" deleted\ndeployment.apps "web" deleted\n'
    keys = stub.asked[0][1]["keys"]
    assert [(key["kind"], key["namespace"]) for key in keys] == [("Service", "default"), ("Deployment", "shop")]


async def test_a_kind_without_namespaces_is_deleted_in_none(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleted", "Node")]
    await run("delete", "node/edge-1")
    assert stub.asked[0][1]["keys"] == [{"kind": "Node", "namespace": "", "name": "edge-1"}]


@pytest.mark.parametrize(
    ("arguments", "questions"),
    [
        (["pods,svc", "-l", "a=b"], [("Pod", "default", "a=b", False), ("Service", "default", "a=b", False)]),
        (["pods", "--all", "-A"], [("Pod", None, "", True)]),
        (["nodes", "--all", "-n", "shop"], [("Node", None, "", True)]),
        (["pods", "--all", "-n", "shop"], [("Pod", "shop", "", True)]),
    ],
)
async def test_what_is_not_named_is_asked_for_by_kind(
    stub: Any, run: Any, arguments: list[str], questions: list[Any]
) -> None:
    stub.answers["delete"] = []
    done = await run("delete", *arguments, "--no-wait")
    assert done == (0, "", "No resources found\n")
    assert [(b["kind"], b["namespace"], b["selector"], b["all"]) for _, b in stub.asked] == questions
    assert all(body["wait_s"] == 0 for _, body in stub.asked)


async def test_deleting_by_force_gives_no_grace(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleted")]
    done = await run("delete", "pod", "a", "--force")
    assert (done.code, done.out) == (0, 'pod "a" force deleted\n')
    assert done.err == "warning: what is deleted by force may still run on its node\n"
    assert stub.asked[0][1]["grace_s"] == 0


async def test_without_force_the_shortest_grace_is_a_second(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleted")]
    await run("delete", "pod", "a", "--grace-period", "0")
    assert stub.asked[0][1]["grace_s"] == 1


async def test_what_is_not_gone_in_time_is_a_failure(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleting")]
    done = await run("delete", "pod", "a", "--timeout", "0.5")
    assert (done.code, done.out) == (1, 'pod "a" deleted\n')
    assert 'cannot see the end of pods "a": it is told to stop, and not gone after 0.5 s' in done.err


async def test_who_does_not_wait_does_not_care(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("deleting")]
    assert await run("delete", "pod", "a", "--no-wait") == (0, 'pod "a" deleted\n', "")


async def test_what_was_not_there_is_a_failure_unless_it_is_ignored(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [deleted("not_found")]
    complaint = 'cloudhub-stub: cannot delete pods "a": not found in namespace default\n'
    assert await run("delete", "pod", "a") == (1, "", complaint)
    assert await run("delete", "pod", "a", "--ignore-not-found") == (0, "", "")


async def test_what_cannot_be_deleted_is_named_and_the_others_go_on(stub: Any, run: Any) -> None:
    stub.answers["delete"] = [{**deleted("deleted"), "error": "because"}, deleted("deleted", name="b")]
    done = await run("delete", "pods", "a", "b")
    assert done == (1, 'pod "b" deleted\n', 'cloudhub-stub: cannot delete pods "a": because\n')


async def test_a_deployment_is_scaled(stub: Any, run: Any) -> None:
    stub.answers["scale"] = {"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 3}
    done = await run("scale", "deploy/web", "--replicas", "3", "--current-replicas", "2", "-n", "shop")
    assert done == (0, "deployment.apps/web scaled\n", "")
    body = {"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 3, "current_replicas": 2}
    assert stub.asked == [("scale", body)]


async def test_of_deployments_to_scale_the_one_that_is_refused_is_named(stub: Any, run: Any) -> None:
    def answer(request: ControlRequest) -> Any:
        return ControlRefused(409, "cannot scale a: it has 5 replicas, not 2") if request.body["name"] == "a" else {}

    stub.answers["scale"] = answer
    done = await run("scale", "deployment", "a", "b", "--replicas", "0")
    assert done == (1, "deployment.apps/b scaled\n", "cloudhub-stub: cannot scale a: it has 5 replicas, not 2\n")


async def test_standard_input_that_is_no_text_is_refused_with_a_reason(stub: Any, start: Any) -> None:
    process = await start("apply", "-f", "-")
    _, err = await process.communicate(b"\xff\xfe\x00")
    assert process.returncode == 1
    assert err.decode().startswith("cloudhub-stub: cannot read the standard input: not UTF-8")
    assert stub.asked == []
