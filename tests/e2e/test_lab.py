"""``edgecore lab``: the guide holds on it, and the host is the same before, after, and after every death of it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.lab.landlord import Lab
from edgecore.lab.walk import PAGE, URL, deployment, service
from netns import texts_of_host

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
MODES = ("intercept", "rootless")
PATIENCE_S = 30.0
CONNECT = "import socket; socket.create_connection(('9.251.0.1', 80), timeout=10)"
Done = subprocess.CompletedProcess[str]


class Labs:
    """The labs of one test, by their directories; the test's host is seen when it begins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before = host()

    def __call__(self, *words: str, check: bool = True, flags: tuple[str, ...] = ()) -> Done:
        """Run ``edgecore lab`` to its end. ``flags`` go before the verb, ``words`` are it and what is behind."""
        command = [sys.executable, "-m", "edgecore", "lab", "--root", str(self.root), *flags, *words]
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=150
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def view(self) -> dict[str, Any]:
        return json.loads(self("status", "--json").stdout)

    def node(self, name: str) -> dict[str, Any]:
        return next(node for node in self.view()["nodes"] if node["name"] == name)


def host() -> list[str]:
    return [*texts_of_host(), Path("/proc/self/mounts").read_text(), Path("/etc/nsswitch.conf").read_text()]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Labs]:
    labs = Labs(tmp_path / "lab")
    yield labs
    Lab(labs.root).end()
    assert host() == labs.before


def spaces_of(labs: Labs) -> set[str]:
    """The network namespaces of a lab's machines."""
    nodes = ("edge-node-a", "edge-node-b")
    places = [(node, *flags) for node in nodes for flags in ((), ("--container",))]
    return {labs("shell", *place, "--", "readlink", "/proc/self/ns/net").stdout.strip() for place in places}


def processes_in(spaces: set[str]) -> list[str]:
    """Those of this machine that are in one of some network namespaces."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str((place / "ns/net").readlink()) in spaces:
                found.append(f"{place.name} {(place / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def soon(holds: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("mode", MODES)
def test_every_step_of_the_guide_holds_and_nothing_is_left(lab: Labs, mode: str) -> None:
    done = lab(flags=("--mode", mode, "--json"))
    record = json.loads(done.stdout)
    assert record["held"], record["error"]
    commands = [each["command"] for each in record["commands"]]
    for place in ("edge-node-a", "edge-node-b"):
        curls = [each for each in record["commands"] if each["command"] == f"edgecore lab shell {place} -- curl {URL}"]
        assert sum(PAGE in curl["output"] for curl in curls) >= 4  # with the cloud, without, restarted, healed
        assert curls[-1]["code"] == 6
    inside = [each for each in record["commands"] if "edge-node-a --container" in each["command"]]
    assert bool(inside) == (mode == "intercept")
    assert "cloudhub-stub get pods -o wide" in commands
    assert not lab.root.exists()
    assert host() == lab.before


def test_a_lab_that_was_put_up_lives_until_down(lab: Labs) -> None:
    lab("up", "--mode", "rootless")
    spaces = spaces_of(lab)
    assert len(spaces) == 4
    assert str(Path("/proc/self/ns/net").readlink()) not in spaces
    assert lab("shell", "edge-node-b", "--", "hostname").stdout == "edge-node-b\n"
    assert "nameserver 127.0.0.1" in lab("shell", "edge-node-a", "--", "cat", "/etc/resolv.conf").stdout
    assert "172.17.0.1/16" in lab("shell", "edge-node-a", "--", "ip", "-4", "address", "show", "docker0").stdout
    assert lab("shell", "edge-node-a", "--", "sh", "-c", "exit 7", check=False).returncode == 7
    reached = lab("shell", "edge-node-a", "--container", "--", "ping", "-c1", "-W5", "172.17.0.1", check=False)
    assert reached.returncode in (0, 127)  # 127: no ping here
    second = lab("up", check=False)
    assert second.returncode == 1
    assert "one runs there; end it with `edgecore lab down`" in second.stderr
    for flags in ((), ("--nodes", "99")):  # another whole walk-through, refused, does not end this one
        assert lab(flags=flags, check=False).returncode == 1
    assert spaces_of(lab) == spaces
    assert lab.root.stat().st_mode & 0o777 == 0o700

    lab("down")

    assert not lab.root.exists()
    assert processes_in(spaces) == []
    assert host() == lab.before
    assert "no lab ran in" in lab("down").stdout


def test_a_lab_whose_command_is_killed_while_it_is_built_can_be_ended_and_ctrl_c_ends_it(lab: Labs) -> None:
    command = [sys.executable, "-m", "edgecore", "lab", "--root", str(lab.root), "up", "--mode", "rootless"]
    for number in (signal.SIGKILL, signal.SIGINT):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
            assert soon((lab.root / "lab.log").exists)
            started.send_signal(number)
        if number == signal.SIGKILL:
            assert "has not ended" in lab("up", check=False).stderr or Lab(lab.root).is_running()
            lab("down")
        assert not lab.root.exists()
    assert host() == lab.before


@pytest.mark.parametrize("who", ["keeper", "first process", "starter"])
def test_a_lab_whose_keeper_is_killed_takes_all_of_it_along(lab: Labs, who: str) -> None:
    lab("up", "--mode", "rootless")
    spaces = spaces_of(lab)
    keeper = Lab(lab.root)._keeper()
    assert keeper is not None
    line = [keeper]
    for _ in range(2):
        line.append(int(Path(f"/proc/{line[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
    victim = dict(zip(("keeper", "first process", "starter"), line, strict=True))[who]

    os.kill(victim, signal.SIGKILL)

    assert soon(lambda: not processes_in(spaces)), processes_in(spaces)
    assert host() == lab.before
    assert "none runs there" in lab("status", check=False).stderr
    lab("down")
    assert not lab.root.exists()


def test_a_lab_in_the_foreground_ends_with_its_command_even_killed(lab: Labs) -> None:
    command = [sys.executable, "-m", "edgecore", "lab", "--root", str(lab.root), "--mode", "rootless"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert "is up" in started.stdout.readline()
        spaces = spaces_of(lab)
        started.kill()
    assert soon(lambda: not processes_in(spaces)), processes_in(spaces)
    assert host() == lab.before


def test_a_node_that_is_killed_is_told_and_comes_back(lab: Labs) -> None:
    lab("up", "--mode", "rootless")
    first = lab.node("edge-node-a")["pid"]
    lab("shell", "edge-node-a", "--", "kill", "-KILL", str(first))
    assert soon(lambda: lab.node("edge-node-a")["state"] == "stopped")
    assert lab.node("edge-node-a")["ended"] == -signal.SIGKILL
    assert lab.node("edge-node-b")["state"] != "stopped"
    lab("restart", "edge-node-a")
    again = lab.node("edge-node-a")
    assert again["pid"] not in (None, first)
    assert again["state"] != "stopped"

    words = ["lab", "--root", str(lab.root), "restart", "edge-node-a"]
    both = [subprocess.Popen([sys.executable, "-m", "edgecore", *words], cwd=ROOT) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    space = lab("shell", "edge-node-a", "--", "readlink", "/proc/self/ns/net").stdout.strip()
    assert len([one for one in processes_in({space}) if r"edgecore\x00run\x00" in one]) == 1


def test_of_a_node_that_is_killed_no_rule_is_left_and_its_fake_ips_are_refused_at_once_and_the_other_serves(
    lab: Labs,
) -> None:
    lab("up", "--mode", "intercept")
    for name, manifest in (("deployment", deployment("edge-node-b")), ("service", service())):
        file = lab.root / f"{name}.json"
        file.write_text(json.dumps(manifest))
        command = [
            sys.executable,
            "-m",
            "cloudhub_stub",
            "apply",
            "-f",
            str(file),
            "--state-dir",
            str(lab.root / "cloud"),
        ]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    def serves(*place: str) -> bool:
        done = lab("shell", *place, "--", "curl", "--silent", "--noproxy", "*", "--max-time", "5", URL, check=False)
        return PAGE in done.stdout

    b = [("edge-node-b",), ("edge-node-b", "--container")]
    for node in (("edge-node-a",), *b):
        assert soon(lambda: serves(*node)), node  # noqa: B023 - called at once
    assert "edgecore_" in lab("shell", "edge-node-a", "--", "nft", "list", "tables").stdout
    resolv_conf = lab("shell", "edge-node-a", "--", "cat", "/etc/resolv.conf").stdout

    lab("shell", "edge-node-a", "--", "kill", "-KILL", str(lab.node("edge-node-a")["pid"]))

    def tables() -> str:
        return lab("shell", "edge-node-a", "--", "nft", "list", "tables").stdout

    assert soon(lambda: tables() == "table ip lab_docker\n"), tables()
    for place in (("edge-node-a",), ("edge-node-a", "--container")):
        began = time.monotonic()
        refused = lab("shell", *place, "--", sys.executable, "-c", CONNECT, check=False)
        assert refused.returncode != 0
        assert "OSError" in refused.stderr or "ConnectionRefusedError" in refused.stderr
        assert "TimeoutError" not in refused.stderr, f"{time.monotonic() - began} s"
    assert lab("shell", "edge-node-a", "--", "cat", "/etc/resolv.conf").stdout == resolv_conf
    assert [serves(*place) for place in b] == [True, True]
    lab("restart", "edge-node-a")
    assert "edgecore_" in tables()
    assert soon(lambda: serves("edge-node-a"))


def test_of_two_labs_at_once_in_the_same_place_one_is_refused_and_harms_none(lab: Labs) -> None:
    command = [sys.executable, "-m", "edgecore", "lab", "--root", str(lab.root), "up", "--mode", "rootless"]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = {one.communicate(timeout=60)[1]: one.returncode for one in both}
    assert sorted(told.values()) == [0, 1], told
    refusal = next(text for text, code in told.items() if code)
    assert "a lab is being built there, or has not ended" in refusal or "one runs there" in refusal
    assert lab.view()["state"] == "ready"

    inside = lab("shell", "edge-node-a", "--", *command[:-3], "down", check=False)
    assert inside.returncode == 1
    assert "leave the shell first" in inside.stderr
    assert lab.view()["state"] == "ready"


def test_edgecore_is_found_in_a_shell_also_if_it_is_not_on_the_path_outside(lab: Labs) -> None:
    lab("up", "--nodes", "1")
    told = lab("shell", "edge-node-a", "--", "sh", "-c", "command -v python").stdout.strip()
    assert told == str(Path(sys.executable).parent / "python")


def test_a_cut_is_of_one_node_and_heals(lab: Labs) -> None:
    lab("up", "--mode", "rootless")
    assert soon(lambda: all(node["link"] == "connected" for node in lab.view()["nodes"]))
    lab("cut", "edge-node-a")
    assert soon(lambda: lab.node("edge-node-a")["link"] != "connected")
    assert lab.node("edge-node-b")["link"] == "connected"
    assert [node["cut"] for node in lab.view()["nodes"]] == [True, False]
    lab("heal", "edge-node-a")
    assert soon(lambda: lab.node("edge-node-a")["link"] == "connected")
    wrong = lab("cut", "edge-node-z", check=False)
    assert "cannot find the node edge-node-z: this lab has edge-node-a, edge-node-b" in wrong.stderr


@pytest.mark.needs_root
def test_an_ordinary_user_has_a_lab_too() -> None:
    """Root tries it as `nobody`, with a copy of the sources, and a view of Python that he can read."""
    with tempfile.TemporaryDirectory(prefix="edgecore-lab-") as place:
        Path(place).chmod(0o755)
        views = {"python": sys.base_prefix, "libraries": sysconfig.get_path("purelib")}
        for name in views:
            Path(place, name).mkdir()
        binds = [f"mount --bind {shlex.quote(seen)} {place}/{name}" for name, seen in views.items()]
        as_nobody = [
            *("unshare", "--mount", "sh", "-c", " && ".join([*binds, 'exec "$@"']), "sh"),
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        ]
        python = str(Path(place, "python", Path(sys.executable).resolve().relative_to(sys.base_prefix)))
        for package in ("edgecore", "cloudhub_stub"):
            shutil.copytree(ROOT / package, Path(place, package))
        home = Path(place, "home")
        home.mkdir()
        shutil.chown(home, 65534, 65534)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": f"{place}:{place}/libraries",
            "LD_LIBRARY_PATH": f"{place}/python/lib",  # a Python that was built with a shared library of its own
        }
        tried = subprocess.run(
            [*as_nobody, "unshare", "-Ur", "--net", python, "-c", "import edgecore.app"],
            env=environment,
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.returncode != 0:
            pytest.skip(f"nobody may not do that here: {tried.stderr.strip()[-200:]}")
        done = subprocess.run(
            [*as_nobody, python, "-m", "edgecore", "lab", "--mode", MODES[0], "--json"],
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["held"]
        assert not (home / ".local/state/edgecore/lab").exists()
