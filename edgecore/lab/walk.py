"""The walk-through of EdgeMesh's guide on a running lab: each step shows a user's command and is checked.

What the guide says is in ``kubeedge docs/guides/edgemesh_test_env_guide.md@v1.3.1``: a deployment whose pod runs on one
node, a headless service, and ``curl`` by the service's name.
"""

import io
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from edgecore.control.client import ControlClient
from edgecore.demo.screen import Screen, Step
from edgecore.errors import ControlError, EdgecoreError, LabError
from edgecore.lab.landlord import Lab, default_root
from edgecore.lab.machine import PATH

STEPS = 9
NAME = "nginx-svc.default.svc.cluster.local"
URL = f"http://{NAME}:12345"
PAGE = "Welcome to nginx!"
UNKNOWN_HOST = 6
"""What ``curl`` ends with where a name cannot be resolved."""
PATIENCE_S = 30.0
"""How long something may take that an apply, a heal or a restart sets off."""
COMMAND_TIMEOUT_S = 20.0
_POLL_S = 0.2
_FETCH = """\
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
except urllib.error.URLError as error:
    sys.exit(6 if "not known" in str(error) or "resolution" in str(error) else 7)
"""
Json = dict[str, Any]


class Outcome(NamedTuple):
    """What became of one command."""

    code: int
    output: str


def deployment(node: str) -> Json:
    """Return the guide's deployment, for one node: ``hostPort`` 80 leads to port 80 of its container."""
    labels = {"app": "nginx"}
    ports = [{"containerPort": 80, "hostPort": 80}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nginx-deployment", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": node},
                    "containers": [{"name": "nginx", "image": "nginx:1.15.4", "ports": ports}],
                },
            },
        },
    }


def service() -> Json:
    """Return the guide's service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "nginx-svc", "namespace": "default"},
        "spec": {
            "clusterIP": "None",
            "selector": {"app": "nginx"},
            "ports": [{"name": "http-0", "port": 12345, "protocol": "TCP", "targetPort": 80}],
        },
    }


def walk(lab: Lab, stream: TextIO | None) -> Json:
    """Walk, and return the record: ``held``, ``error`` (that of the step that did not hold), ``commands``, ``took_s``.

    Raises ``LabError`` where there is no lab.
    """
    began = time.monotonic()
    guide = _Guide(lab, lab.view(), Screen(STEPS, stream or io.StringIO()))
    error = ""
    try:
        guide.walk()
    except (EdgecoreError, OSError, subprocess.TimeoutExpired) as failure:
        error = str(failure)
    return {
        "held": not error,
        "error": error,
        "took_s": round(time.monotonic() - began, 1),
        "mode": guide.mode,
        "commands": guide.commands,
    }


class _Guide:
    def __init__(self, lab: Lab, view: Json, screen: Screen) -> None:
        self._lab = lab
        self._view = view
        self._screen = screen
        self._root = [] if lab.root == default_root() else ["--root", str(lab.root)]
        self._state_dir = ["--state-dir", view["cloud"]["state_dir"]]
        self._files = lab.root / "manifests"
        self._nodes = [node["name"] for node in view["nodes"]]
        self._server = self._nodes[min(1, len(self._nodes) - 1)]
        self.mode = view["mode"]
        self.commands: list[Json] = []

    def walk(self) -> None:
        self._ready()
        self._deploy()
        self._expose()
        self._by_name("curl by name, with no flags: on the nodes, and in containers on their docker0")
        self._offline()
        self._restarted()
        self._healed()
        self._deleted()
        self._cleaned()

    def _ready(self) -> None:
        step = self._screen.step("the nodes have joined the cloud")
        step.say(f"(each cloudhub-stub below has {shlex.join(self._state_dir)} behind it)")
        if self._root:
            step.say(f"(each edgecore lab below has {shlex.join(self._root)} behind its verb)")
        self._stub(
            step,
            "get nodes",
            until=lambda seen: all(_row_of(seen, name).split()[1:2] == ["Ready"] for name in self._nodes),
        )
        step.check("nodes that are Ready", len(self._nodes), len(self._view["nodes"]))

    def _deploy(self) -> None:
        step = self._screen.step(f"a deployment, whose pod is to run on {self._server}")
        self._apply(step, "deployment.yaml", deployment(self._server))
        seen = self._stub(step, "get pods -o wide", until=lambda seen: " Running " in seen)
        columns = _row_of(seen, "nginx-deployment").split()
        step.check("the pod runs on", columns[6], self._server)
        address = columns[5]
        page = self._soon(step, self._server, ["curl", address], lambda outcome: PAGE in outcome.output)
        step.check(f"{address}, on its own node, answers", PAGE in page.output, True)

    def _expose(self) -> None:
        step = self._screen.step("a service for it")
        self._apply(step, "service.yaml", service())
        self._stub(step, "get service,endpoints", until=lambda seen: ":80 " in _row_of(seen, "endpoints/nginx-svc"))
        # What follows is to work at once: wait here until the nodes have got it.
        for place in self._places():
            self._until(f"the name reaches {' '.join(place)}", partial(self._reaches, place))

    def _by_name(self, title: str) -> None:
        step = self._screen.step(title)
        if self.mode != "intercept":
            step.say("(mode rootless: containers have no way to the services of their node)")
        self._curl_everywhere(step)

    def _offline(self) -> None:
        step = self._screen.step("the nodes lose the cloud; the LAN between them stays")
        self._edgecore(step, "cut", *self._nodes)
        self._until("the nodes notice", lambda: not any(map(self._is_connected, self._nodes)))
        step.check("nodes with a link to the cloud", [n for n in self._nodes if self._is_connected(n)], [])
        self._curl_everywhere(step)

    def _restarted(self) -> None:
        step = self._screen.step("edgecore is restarted on every node, without the cloud")
        self._edgecore(step, "restart", *self._nodes)
        self._curl_everywhere(step)
        step.check("nodes with a link to the cloud", [n for n in self._nodes if self._is_connected(n)], [])

    def _healed(self) -> None:
        step = self._screen.step("the cloud is back")
        self._edgecore(step, "heal", *self._nodes)
        self._until("the nodes connect", lambda: all(map(self._is_connected, self._nodes)))
        step.check("nodes with a link to the cloud", [n for n in self._nodes if self._is_connected(n)], self._nodes)
        self._curl_everywhere(step)

    def _deleted(self) -> None:
        step = self._screen.step("the service is deleted: its name is gone")
        self._stub(step, "delete service nginx-svc")
        for place in self._places():
            gone = self._soon(step, place, ["curl", URL], lambda outcome: outcome.code == UNKNOWN_HOST)
            step.check(f"exit code of curl on {' '.join(place)} (6: no such name)", gone.code, UNKNOWN_HOST)

    def _cleaned(self) -> None:
        step = self._screen.step("the deployment is deleted: the lab is as it was")
        self._stub(step, "delete deployment nginx-deployment")
        self._stub(step, "get pods", until=lambda seen: "nginx-deployment" not in seen)
        self._until("the container of the pod ends", lambda: not self._containers())
        step.check("containers that are left", self._containers(), [])

    def _containers(self) -> list[str]:
        return [pod for node in self._lab.view()["nodes"] for pod in node["pods"] if pod.startswith("nginx-deployment")]

    # What a user does.

    def _apply(self, step: Step, name: str, manifest: Json) -> None:
        self._files.mkdir(exist_ok=True)
        file = self._files / name
        file.write_text(json.dumps(manifest, indent=2) + "\n")  # JSON is YAML
        self._stub(step, f"apply -f {shlex.quote(str(file))}")

    def _stub(self, step: Step, words: str, until: Callable[[str], bool] = bool) -> str:
        """Run a command of ``cloudhub-stub``, again until its output is as it shall be, and show that."""
        arguments = shlex.split(words)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            command = [sys.executable, "-m", "cloudhub_stub", *arguments, *self._state_dir]
            outcome = self._run(command, f"cloudhub-stub {words}")
            if outcome.code == 0 and until(outcome.output):
                break
            if time.monotonic() > deadline:
                raise LabError(f"`cloudhub-stub {words}` is not as expected: it printed\n{outcome.output}")
            time.sleep(_POLL_S)
        self._show(step, f"cloudhub-stub {words}", outcome)
        return outcome.output

    def _edgecore(self, step: Step, verb: str, *nodes: str) -> None:
        shown = f"edgecore lab {verb} {' '.join(nodes)}"
        command = [sys.executable, "-m", "edgecore", "lab", verb, *nodes, *self._root]
        outcome = self._run(command, shown)
        self._show(step, shown, outcome)
        if outcome.code != 0:
            raise LabError(f"`{shown}` ended with {outcome.code}: {outcome.output}")

    def _curl_everywhere(self, step: Step) -> None:
        for place in self._places():
            outcome = self._in(place, ["curl", URL])
            self._show(step, _shown(place, ["curl", URL]), outcome, brief=True)
            step.check(f"{' '.join(place)} reads", _title(outcome.output), PAGE)

    def _places(self) -> list[tuple[str, ...]]:
        inside = [(name, "--container") for name in self._nodes] if self.mode == "intercept" else []
        return [*((name,) for name in self._nodes), *inside]

    def _reaches(self, place: Sequence[str]) -> bool:
        return PAGE in self._in(place, ["curl", URL]).output

    def _soon(
        self, step: Step, place: str | Sequence[str], words: Sequence[str], good: Callable[[Outcome], bool]
    ) -> Outcome:
        """Run a command on a node until its outcome is good, and show the last one."""
        where = (place,) if isinstance(place, str) else place
        deadline = time.monotonic() + PATIENCE_S
        while not good(outcome := self._in(where, words)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._show(step, _shown(where, words), outcome, brief=True)
        return outcome

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise LabError(f"{what}: did not happen in {PATIENCE_S:.0f} s")
            time.sleep(_POLL_S)

    def _in(self, place: Sequence[str], words: Sequence[str]) -> Outcome:
        """Run a command on a node, or in its container."""
        node = next(each for each in self._view["nodes"] if each["name"] == place[0])
        holder = node["container_holder" if "--container" in place else "holder"]
        real = list(words) if shutil.which(words[0], path=PATH) else [sys.executable, "-c", _FETCH, words[-1]]
        return self._run(self._lab.command(holder, real), _shown(place, words))

    def _run(self, command: Sequence[str], shown: str) -> Outcome:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr)
        last = {"command": shown, "code": outcome.code, "output": outcome.output}
        if self.commands and self.commands[-1]["command"] == shown:
            self.commands[-1] = last
        else:
            self.commands.append(last)
        return outcome

    def _show(self, step: Step, shown: str, outcome: Outcome, *, brief: bool = False) -> None:
        step.say(f"$ {shown}")
        lines = outcome.output.strip().splitlines()
        if brief and outcome.code == 0 and len(lines) > 1:
            lines = [line.strip() for line in lines if "<title>" in line or "<em>" in line] or lines[:2]
        elif brief:
            lines = [line[max(line.find("curl:"), 0) :] for line in lines[-1:]]  # not its bar of progress
        for line in lines:
            step.say(f"  {line}")

    def _is_connected(self, name: str) -> bool:
        node = next(each for each in self._view["nodes"] if each["name"] == name)
        try:
            status = ControlClient(Path(node["control"]), 5.0).get("/v1/status")
        except ControlError:
            return False
        return bool(status["link"].get("state") == "connected")


def _shown(place: Sequence[str], words: Sequence[str]) -> str:
    return f"edgecore lab shell {' '.join(place)} -- {' '.join(words)}"


def _row_of(table: str, name: str) -> str:
    """Return the line of a table that begins with a name; nothing where there is none."""
    return next((line for line in table.splitlines() if line.startswith(name)), "") + " "


def _title(page: str) -> str:
    return page.partition("<title>")[2].partition("</title>")[0]
