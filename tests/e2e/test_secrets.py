"""What a node keeps to itself: its files, whatever the umask is, and each planted secret, wherever somebody looks."""

import base64
import stat
from pathlib import Path
from typing import Any

CANARY = "canary-7f3a-hunter2"
FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode())
WITHOUT_UMASK = ["sh", "-c", 'umask 0; exec "$@"', "sh"]


def pod(**spec: Any) -> Any:
    """Return a pod with every kind of volume that is made, and the Secret in a variable."""
    from_secret = {"secretKeyRef": {"name": "s", "key": "pw"}}
    mounts = [{"name": name, "mountPath": f"/{name}", "subPath": "a/b"} for name in ("secret", "scratch")]
    container = {"name": "main", "image": "sleep", "env": [{"name": "PW", "valueFrom": from_secret}]}
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "11111111-2222-3333-4444-555555555555"},
        "spec": {
            "nodeName": "edge-1",
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "secret", "secret": {"secretName": "s"}}, {"name": "scratch", "emptyDir": {}}],
            "containers": [{**container, "volumeMounts": mounts}],
            **spec,
        },
    }


def bring(cloud: Any, words: Any) -> None:
    data = {"pw": base64.b64encode(CANARY.encode()).decode()}
    secret = {"metadata": {"name": "s", "namespace": "default"}, "data": data, "type": "Opaque"}
    cloud.send(
        words.message("insert", "default/secret/s", secret),
        words.put(words.service("web")),
        words.message("insert", "default/pod/p", pod()),
        words.message("insert", "default/nonsense/x", {"token": CANARY}),
        words.message("insert", "default/secret/broken", CANARY),
    )


def family(pid: int) -> list[int]:
    """Return a process and those below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in below for each in family(int(child)))]


def test_nothing_that_the_programs_make_may_be_used_by_others_whatever_the_umask(
    programs: Any, words: Any, tmp_path: Path
) -> None:
    programs.prefix = WITHOUT_UMASK
    cloud = programs.cloud()
    traffic = {"accessLog": str(tmp_path / "edge-1" / "access.log")}
    node = programs.node(
        cloud=cloud, edged__runtime="process", edged__processImages=["sleep=sleep 600"], edgeMesh__traffic=traffic
    )
    node.wait_for("link", lambda status: status["state"] == "ok")
    node.control.post("/v1/recording/start", {"path": str(tmp_path / "edge-1" / "r.jsonl")})
    bring(cloud, words)
    node.service("web")
    node.by_proxy("http://web.default:80/")
    log = tmp_path / "edge-1" / "pods"
    node.wait_for("log of the pod", lambda _status: list(log.rglob("0.log")))
    export = ["meta", "export", "--output-file", tmp_path / "edge-1" / "export.json"]
    for command in (["db", "backup"], export):
        done = programs.run("edgecore", *command, "--config", node.config)
        assert done.returncode == 0, done.stderr
    ours = [tmp_path / "cloud", tmp_path / "edge-1"]
    made = [path for place in ours for path in (place, *place.rglob("*")) if not path.is_symlink()]
    not_made = {"edgecore.yaml", "log.txt", "out.txt", "messages.jsonl"}  # but by the test
    assert {"access.log", "export.json", "r.jsonl", "pw", "edgecore.db-wal"} <= {path.name for path in made}
    private = stat.S_IRWXG | stat.S_IRWXO
    assert [path for path in made if path.stat().st_mode & private and path.name not in not_made] == []


def test_no_secret_is_in_logs_figures_states_or_what_other_users_see_of_processes(programs: Any, words: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(
        cloud=cloud,
        edgeHub__token=f"{'0' * 64}.{CANARY}.a.b",
        eventBus__enable=True,
        eventBus__mqttServerExternal="tcp://127.0.0.1:9",
        eventBus__mqttUsername="edge",
        eventBus__mqttPassword=CANARY,
        edged__runtime="process",
        edged__processImages=["sleep=sleep 600"],
        observe__logLevel="debug",
    )
    node.wait_for("link", lambda status: status["link"]["state"] == "connected")
    bring(cloud, words)
    node.service("web")
    seen = {"arguments": "", "log": node.log}
    for pid in family(node.process.pid):
        seen["arguments"] += Path(f"/proc/{pid}/cmdline").read_text()
    for verb in ("status", "ledger", "pods", "services", "recording", "held"):
        seen[verb] = str(node.control.get(f"/v1/{verb}"))
    for page in ("/metrics", "/healthz", *(f"/debug/{name}" for name in ("", "status", "ledger", "bus"))):
        seen[page] = node.page(page)[1]
    assert [where for where, text in seen.items() if any(form in text for form in FORMS)] == []
    assert "default/nonsense/x" in seen["log"]
