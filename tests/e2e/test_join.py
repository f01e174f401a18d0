"""Joining as the tutorial tells a new user: its command lines, with real processes, over TLS, from join to renewal."""

import json
import re
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from edgecore.control.client import ControlClient
from edgecore.errors import ControlError
from edgecore.modules.edgehub.certificates.x509 import new_key, request_of, to_pem
from shells import ROOT, environment, install

T = TypeVar("T")
Json = dict[str, Any]

PATIENCE_S = 20.0
STOP_S = 8.0
SHORT_LIFE_DAYS = 12 / 86_400
"""Certificates that are renewed after 8.4 to 10.8 s: time enough to join and connect on a busy machine."""
TOLD = [
    "cloudhub-stub run",
    "cloudhub-stub token | edgecore join",
    "edgecore run",
    "cloudhub-stub replay",
    "edgecore status",
    "edgecore ledger",
]
"""What the tutorial has a new user do, in this order."""


def tutorial_lines() -> dict[str, str]:
    """Return the command lines of "Run a node" by what they run, without prompts and comments."""
    section = (ROOT / "docs/tutorial/first-hour.md").read_text("utf-8").split("\n## Run a node\n")[1]
    block = section.split("```console\n")[1].split("```")[0].replace("\\\n", " ")
    lines = [re.sub(r"\s+#.*", "", line).removeprefix("$ ") for line in block.splitlines()]
    return {" | ".join(re.findall(r"\.venv/bin/(\S+ \S+)", line)): line for line in lines}


TUTORIAL = tutorial_lines()


class Clone:
    """A directory in which the tutorial's lines run as they stand, as in a clone; only ports and a home are its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        install(place / ".venv/bin")
        (place / "examples").symlink_to(ROOT / "examples")
        state = place / "state"
        self._env = environment(HOME=str(place), XDG_STATE_HOME=str(state))
        self.cloud = ControlClient(state / "cloudhub-stub/control.sock", timeout_s=PATIENCE_S)
        self._started: list[subprocess.Popen[bytes]] = []

    # The tutorial's lines.

    def start_cloud(self, flags: str = "") -> None:
        """Run the stub as the tutorial has it, on free ports."""
        ports = "--listen 127.0.0.1:0 --https 127.0.0.1:0 --observe off"
        self._start("cloud", f"{TUTORIAL['cloudhub-stub run']} {ports} {flags}")
        self.wait_for("cloud", lambda: all(self.cloud.get("/v1/status")[key] for key in ("listen", "https")))

    def join(self, name: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Join a node of that name, with the token that the stub has now or with ``token``."""
        status = self.cloud.get("/v1/status")
        line = TUTORIAL["cloudhub-stub token | edgecore join"].replace("edge-a", name)
        line = line.replace("127.0.0.1:10000", status["listen"].removeprefix("wss://")) + f" --https {status['https']}"
        if token is not None:
            line = line.partition("|")[2]
        return self.sh(line, token or "")

    def start_node(self, name: str) -> None:
        """Run the node."""
        self._start(name, TUTORIAL["edgecore run"].replace("edge-a", name))

    def ask(self, what: str, name: str, flags: str = "") -> "subprocess.CompletedProcess[str]":
        """Run one of the tutorial's lines that ask a node."""
        return self.sh(f"{TUTORIAL[what].replace('edge-a', name)} {flags}")

    def status(self, name: str) -> Json:
        """Return what ``edgecore status --json`` prints; nothing while the node is not reached."""
        done = self.ask("edgecore status", name, "--json")
        found: Json = json.loads(done.stdout or "{}")
        return found

    # What it takes.

    def sh(self, line: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a line in a shell, to its end."""
        how: Json = {"input": given, "capture_output": True, "text": True, "timeout": 2 * PATIENCE_S}
        return subprocess.run(["/bin/sh", "-c", line], cwd=self.place, env=self._env, check=False, **how)

    def stub(self, arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run another command of the stub."""
        return self.sh(f".venv/bin/cloudhub-stub {arguments}", given)

    def new_token(self) -> str:
        return self.stub("token").stdout

    def node(self, name: str) -> Json | None:
        """Return what the stub knows of a node."""
        return next((one for one in self.cloud.get("/v1/nodes") if one["name"] == name), None)

    def wait_until_ready(self, *names: str) -> None:
        for name in names:
            self.wait_for(f"{name} registered and ready", lambda name=name: self._is_ready(name))

    def wait_for(self, what: str, look: Callable[[], T]) -> T:
        """Return what ``look`` finds, once it finds something."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if found := look():
                    return found
            except ControlError:
                pass
            ended = [process.args for process in self._started if process.poll() is not None]
            if ended:
                pytest.fail(f"no {what}: {ended} ended\n{self._logs()}")
            time.sleep(0.05)
        pytest.fail(f"no {what}\n{self._logs()}")

    def stop(self) -> list[int]:
        """Stop everything at once, and return the exit codes."""
        left, self._started = self._started, []
        for process in left:
            process.send_signal(signal.SIGTERM)
        try:
            return [process.wait(STOP_S) for process in left]
        finally:
            for process in left:
                process.kill()
                process.wait()

    def _start(self, name: str, line: str) -> None:
        with (self.place / f"{name}.out").open("wb") as out, (self.place / f"{name}.log").open("wb") as log:
            command = ["/bin/sh", "-c", f"exec {line}"]
            files: Json = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": log}
            self._started.append(subprocess.Popen(command, cwd=self.place, env=self._env, **files))

    def _is_ready(self, name: str) -> bool:
        node = self.node(name)
        return node is not None and node["connected"] and node["registered"] and node["ready"]

    def _logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in self.place.glob("*.log"))


@pytest.fixture
def clone() -> Iterator[Clone]:
    """Not below ``tmp_path``: the path of a control socket may not be long."""
    with tempfile.TemporaryDirectory(prefix="join-") as place:
        clone = Clone(Path(place))
        yield clone
        assert set(clone.stop()) <= {0}


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def modes_of(folder: Path, kind: Callable[[int], bool]) -> set[int]:
    """Return the modes of what is of a kind, in a folder and below."""
    found = [path.lstat().st_mode for path in (folder, *folder.rglob("*"))]
    return {stat.S_IMODE(mode) for mode in found if kind(mode)}


def a_message(name: str) -> str:
    route = {"source": "edgecontroller", "group": "resource", "operation": "insert"}
    content = {"metadata": {"name": name, "namespace": "default"}, "data": {"for": name}}
    return json.dumps({"route": {**route, "resource": f"default/configmap/{name}"}, "content": content})


def test_the_tutorial_tells_what_these_tests_do() -> None:
    assert list(TUTORIAL) == TOLD


def test_two_edges_join_with_a_token_and_work_as_the_tutorial_tells(clone: Clone) -> None:
    nodes = ("edge-a", "edge-b")
    clone.start_cloud()
    for name in nodes:
        joined = clone.join(name)
        assert (joined.returncode, joined.stderr) == (0, "")
        assert joined.stdout.endswith(f"edgecore run --config {clone.place}/{name}/edgecore.yaml\n")
        assert sorted(files_of(clone.place / name)) == [
            "ca/rootCA.crt",
            "certs/server.crt",
            "certs/server.key",
            "edgecore.yaml",
        ]
    keys = {(clone.place / name / "certs/server.key").read_bytes() for name in nodes}
    assert len(keys) == 2

    for name in nodes:
        clone.start_node(name)
    clone.wait_until_ready(*nodes)
    for place in (*nodes, "state"):
        assert modes_of(clone.place / place, stat.S_ISREG) == {0o600}
        assert modes_of(clone.place / place, stat.S_ISSOCK) == {0o600}
    for place in (*nodes, "state/cloudhub-stub"):
        assert modes_of(clone.place / place, stat.S_ISDIR) == {0o700}

    played = clone.sh(f"{TUTORIAL['cloudhub-stub replay']} --node edge-a --json")
    assert (played.returncode, played.stderr) == (0, "")
    events = [json.loads(line) for line in played.stdout.splitlines()]
    acknowledged = [event for event in events if event["event"] == "acked"]
    assert events[-1]["event"] == "finished"
    assert len(acknowledged) > 20
    for name in nodes:
        sent = clone.stub(f"send - --node {name} --wait", a_message(name))
        assert (sent.returncode, sent.stdout.splitlines()[-1].split(",")[0]) == (0, "1 acknowledged")

    for name, number in zip(nodes, (len(acknowledged) + 1, 1), strict=True):
        check_status(clone, name)
        view = clone.wait_for(f"{name} with nothing under way", lambda name=name: settled(clone, name))
        down = view["directions"]["cloud->edge"]
        assert down["acknowledged"] >= number  # beside it, the stub tells of pods that came to run
        assert (down["dropped"], view["unexplained"]) == (0, 0)
        said = clone.ask("edgecore ledger", name)
        assert (said.returncode, "unexplained: 0 (every message is accounted for)" in said.stdout) == (0, True)
        known = clone.node(name)
        assert known is not None
        assert known["acknowledged"] >= number
        assert (known["unacknowledged"], known["malformed"]) == (0, 0)
    assert names_of_services(clone, "edge-a") >= {"nginx-svc", "named-svc"}
    assert names_of_services(clone, "edge-b") == set()

    book = clone.stub("ledger --json")
    assert (book.returncode, json.loads(book.stdout)["unexplained"]) == (0, 0)
    assert json.loads(book.stdout)["directions"]["cloud->edge"]["acknowledged"] >= len(acknowledged) + 2
    assert clone.stop() == [0, 0, 0]


def check_status(clone: Clone, name: str) -> None:
    """See that exit code, text and JSON of ``status`` agree: well, or degraded by a port not ours to bind."""
    status = clone.status(name)
    said = clone.ask("edgecore status", name)
    unbound = status["mesh"]["ports_not_bound"]
    assert {one["port"] for one in unbound} <= {80}
    assert (said.returncode, status["state"]) == ((3, "degraded") if unbound else (0, "ok"))
    assert f"node {name}: {status['state']}" in said.stdout
    assert re.search(r"^link: connected, wss://", said.stdout, re.MULTILINE)
    assert {module["state"] for module in status["modules"]} == {"running"}


def settled(clone: Clone, name: str) -> Json | None:
    """Return a node's ledger, once the cloud is known to have everything."""
    done = clone.ask("edgecore ledger", name, "--json")
    view: Json = json.loads(done.stdout)
    return view if not any(one["under_way"] for one in view["directions"].values()) else None


def names_of_services(clone: Clone, name: str) -> set[str]:
    return {service["name"] for service in clone.status(name)["mesh"]["services"]}


def test_an_edge_with_the_certificate_of_another_cloud_is_refused_and_says_so(
    clone: Clone, other_authority: Any
) -> None:
    clone.start_cloud()
    assert clone.join("edge-a").returncode == 0
    key = new_key()
    certs = clone.place / "edge-a/certs"
    (certs / "server.key").write_bytes(key)
    (certs / "server.crt").write_bytes(to_pem(other_authority.sign(request_of(key))))
    clone.start_node("edge-a")
    link = clone.wait_for("refusal", lambda: refused_link(clone, "edge-a"))
    assert re.search(r"refused the node at TLS: tlsv1 alert (unknown ca|decrypt error)$", link["error"]), link
    said = clone.ask("edgecore status", "edge-a")
    assert said.returncode == 3
    assert re.search(r"because .*refused the node at TLS: tlsv1 alert", said.stdout), said.stdout
    assert clone.node("edge-a") is None
    assert any("bad_certificate" in reason for reason in clone.cloud.get("/v1/status")["bad_input"])


def test_an_edge_without_a_certificate_says_what_to_do_and_tls_lets_nobody_in_without(clone: Clone) -> None:
    clone.start_cloud()
    assert clone.join("edge-a").returncode == 0
    certificate = clone.place / "edge-a/certs/server.crt"
    certificate.unlink()
    clone.start_node("edge-a")
    link = clone.wait_for("fault", lambda: refused_link(clone, "edge-a"))
    assert f"missing: {certificate}" in link["error"]
    said = clone.ask("edgecore status", "edge-a")
    assert (said.returncode, "because" in said.stdout) == (3, True)
    assert "cannot apply for a certificate" in said.stdout

    host, _, port = clone.cloud.get("/v1/status")["listen"].removeprefix("wss://").rpartition(":")
    context = ssl.create_default_context(cafile=clone.place / "edge-a/ca/rootCA.crt")
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        say_something(host, int(port), context)
    assert any("no_certificate" in reason for reason in clone.cloud.get("/v1/status")["bad_input"])


def say_something(host: str, port: int, context: ssl.SSLContext) -> None:
    """In TLS 1.3 what is wrong with a certificate is said after the handshake."""
    with (
        socket.create_connection((host, port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.recv(1)


def refused_link(clone: Clone, name: str) -> Json | None:
    """Return the link of a node, once it knows why there is none."""
    link: Json = clone.status(name).get("link") or {}
    return link if link.get("error") else None


def test_a_token_that_was_let_expire_joins_nobody_and_a_new_one_does(clone: Clone) -> None:
    clone.start_cloud()
    old = clone.new_token()
    assert clone.join("edge-a", old).returncode == 0
    assert clone.stub("fault expire-token").returncode == 0
    refused = clone.join("edge-b", old)
    assert refused.returncode == 1
    assert "cannot get the node's certificate from https://127.0.0.1:" in refused.stderr
    assert "401" in refused.stderr
    assert "no file was written; try again with a new token" in refused.stderr
    assert not (clone.place / "edge-b/edgecore.yaml").exists()
    assert clone.new_token() != old
    assert clone.join("edge-b").returncode == 0


def test_a_certificate_that_is_refused_on_demand_is_a_clear_error_and_given_the_next_time(clone: Clone) -> None:
    clone.start_cloud()
    assert clone.stub("fault refuse-certificate").returncode == 0
    refused = clone.join("edge-a")
    assert refused.returncode == 1
    assert "cannot get the node's certificate from https://127.0.0.1:" in refused.stderr
    assert "403" in refused.stderr
    assert "refused on demand" in refused.stderr
    assert not (clone.place / "edge-a/edgecore.yaml").exists()
    assert clone.join("edge-a").returncode == 0
    assert clone.cloud.get("/v1/status")["certificates_refused_on_demand"] == 1


def test_a_certificate_is_renewed_while_the_node_runs(clone: Clone) -> None:
    clone.start_cloud(f"--cert-days {SHORT_LIFE_DAYS:.8f}")
    assert clone.join("edge-a").returncode == 0
    before = files_of(clone.place / "edge-a/certs")
    clone.start_node("edge-a")
    clone.wait_for("first session", lambda: (clone.node("edge-a") or {}).get("connected"))
    first = clone.status("edge-a")["link"]["certificate"]["valid_until"]

    clone.wait_for("second session", lambda: (clone.node("edge-a") or {}).get("connections") == 2)
    after = files_of(clone.place / "edge-a/certs")
    assert sorted(after) == sorted(before) == ["server.crt", "server.key"]
    assert all(after[name] != before[name] for name in after)
    assert modes_of(clone.place / "edge-a/certs", stat.S_ISREG) == {0o600}
    link = clone.status("edge-a")["link"]
    assert (link["state"], link["sessions"]) == ("connected", 2)
    assert link["certificate"]["valid_until"] > first
    assert clone.cloud.get("/v1/status")["certificates_given"] == 2
    sent = clone.stub("send - --node edge-a --wait", a_message("after"))
    assert (sent.returncode, sent.stdout.splitlines()[-1].split(",")[0]) == (0, "1 acknowledged")
    assert clone.status("edge-a")["link"]["sessions"] == 2
