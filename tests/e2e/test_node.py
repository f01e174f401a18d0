"""``edgecore run``, ``status`` and ``env`` beside ``cloudhub-stub run``, as a user runs them."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.config.schema import EdgeCoreConfig

ROOT = Path(__file__).parents[2]
AS_NOBODY = [
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),  # wherever Python is, it can be read
]


def _well(status: dict[str, Any]) -> bool:
    return bool(status["state"] == "ok")


def test_a_node_registers_and_posts_its_status(programs: Any) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edged__nodeStatusUpdateFrequency=1)

    cloud.wait_for("status of the node", lambda _: [one for one in cloud.control.get("/v1/nodes") if one["ready"]])

    (known,) = cloud.control.get("/v1/nodes")
    assert (known["name"], known["connected"], known["registered"]) == ("edge-1", True, True)
    assert node.wait_for("registration", _well)


def test_the_status_of_a_node_that_is_well_is_exit_code_0(programs: Any) -> None:
    node = programs.node(cloud=programs.cloud())
    node.wait_for("link", _well)

    done = programs.run("edgecore", "status", "--config", node.config)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("node edge-1: ok (edgecore ")
    assert "connected, ws://127.0.0.1:" in done.stdout


def test_the_status_as_json_is_what_the_control_socket_says(programs: Any) -> None:
    node = programs.node(cloud=programs.cloud())
    node.wait_for("link", _well)

    said = json.loads(programs.run("edgecore", "status", "--json", "--config", node.config).stdout)

    assert (said["node"], said["state"], said["reasons"]) == ("edge-1", "ok", [])
    assert [module["name"] for module in said["modules"]] == ["websocket", "metaManager", "edgemesh", "edged"]
    assert said.keys() == node.status().keys()


def test_the_status_of_a_node_without_a_cloud_is_exit_code_3_and_says_why(programs: Any) -> None:
    node = programs.node()
    node.wait_for("failed attempt", lambda status: status["link"].get("error"))

    done = programs.run("edgecore", "status", "--config", node.config)

    assert done.returncode == 3
    assert "because the link to the cloud is " in done.stdout
    assert "ws://127.0.0.1:9/" in done.stdout


def test_the_status_of_a_node_that_has_stopped_is_exit_code_1_and_one_line(programs: Any) -> None:
    node = programs.node()
    node.ready()
    assert node.stop() == 0

    done = programs.run("edgecore", "status", "--config", node.config)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"edgecore: cannot reach the node at {node.directory}/edgecore.sock: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.needs_curl
def test_curl_reaches_a_service_by_name_in_a_shell_that_took_over_env(
    programs: Any, words: Any, backend: Callable[..., Any], free_port: Callable[[], int]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    port = free_port()
    cloud.send(*words.arrival("web", port, backend("127.0.0.2")))
    node.service("web")

    lines = programs.run("edgecore", "env", "--config", node.config).stdout
    example = next(line[1:].strip() for line in lines.splitlines() if "curl " in line)
    command = ["/bin/sh", "-c", f'eval "$LINES" && {example}']
    environment = programs.env | {"LINES": lines}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)

    assert example == f"curl http://web.default.svc:{port}/"
    assert done.stdout == "127.0.0.2 serves /"


def test_sigterm_ends_a_busy_node_well_and_soon(
    programs: Any, words: Any, backend: Callable[..., Any], free_port: Callable[[], int]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    port = free_port()
    cloud.send(*words.arrival("web", port, backend()))
    fake_ip = node.service("web")["fake_ip"]
    tap = node.control.stream("GET", "/v1/tap")
    next(tap)
    with socket.create_connection((fake_ip, port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        began = time.monotonic()

        assert node.stop() == 0

        assert time.monotonic() - began < 5
    tap.close()
    assert "Traceback" not in node.log
    assert not node.lines("modules_would_not_stop")
    assert not (node.directory / "edgecore.sock").exists()


def test_ctrl_c_ends_a_node_well(programs: Any) -> None:
    node = programs.node()
    node.ready()

    assert node.stop(signal.SIGINT) == 0


def test_a_node_links_when_its_cloud_comes_and_again_when_it_comes_back(
    programs: Any, free_port: Callable[[], int]
) -> None:
    port = free_port()
    node = programs.node(edgeHub__websocket__server=f"ws://127.0.0.1:{port}")
    node.wait_for("failed attempt", lambda status: status["link"].get("error"))

    cloud = programs.cloud(listen=f"127.0.0.1:{port}")
    first = node.wait_for("link", lambda status: status["state"] == "ok" and status)
    assert cloud.stop() == 0
    node.wait_for("end of the link", lambda status: status["state"] == "degraded")
    programs.cloud(listen=f"127.0.0.1:{port}")
    second = node.wait_for("second link", lambda status: status["state"] == "ok" and status)

    assert [status["link"]["sessions"] for status in (first, second)] == [1, 2]


def test_a_second_node_on_the_same_files_is_refused_and_the_first_goes_on(programs: Any) -> None:
    node = programs.node()
    node.ready()

    second = programs.run("edgecore", "run", "--config", node.config)

    assert second.returncode == 1
    assert f"edgecore: cannot open database {node.directory}/edgecore.db: another edgecore uses it" in second.stderr
    assert "Traceback" not in second.stderr
    assert node.status()["mesh"]["recovered"]


def test_a_second_node_on_the_same_control_socket_is_refused_and_the_first_goes_on(
    programs: Any, config_text: Callable[..., str], tmp_path: Path
) -> None:
    node = programs.node()
    node.ready()
    config = json.loads(config_text(tmp_path / "other"))
    config["control"] = {"socket": str(node.directory / "edgecore.sock")}
    (tmp_path / "other.yaml").write_text(json.dumps(config))

    second = programs.run("edgecore", "run", "--config", tmp_path / "other.yaml")

    assert second.returncode == 1
    assert f"cannot listen on {node.directory}/edgecore.sock: another node is running there" in second.stderr
    assert node.status()["node"] == "edge-1"


@pytest.mark.parametrize(
    ("key", "value", "path", "allowed"),
    [
        ("edgeHub__heartbeat", "soon", "modules.edgeHub.heartbeat", "whole number"),
        ("edgeMesh__rootlessSubNet", "10.0.0.0/16", "modules.edgeMesh.rootlessSubNet", "127.0.0.0/8"),
        ("edgeMesh__mode", "magic", "modules.edgeMesh.mode", "rootless"),
    ],
)
def test_a_wrong_setting_is_exit_code_1_with_the_path_of_the_key(
    programs: Any, config_text: Callable[..., str], tmp_path: Path, key: str, value: str, path: str, allowed: str
) -> None:
    (tmp_path / "edgecore.yaml").write_text(config_text(tmp_path, **{key: value}))

    done = programs.run("edgecore", "run", "--config", tmp_path / "edgecore.yaml")

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if path in line]
    assert f'found "{value}"' in line
    assert allowed in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "edgecore.db").exists()


def test_an_unknown_key_is_one_warning_with_the_nearest_known_one(programs: Any) -> None:
    node = programs.node(edgeHub__hartbeat=15)
    node.ready()

    (warning,) = node.lines("config_warning")

    assert warning["level"] == "warning"
    assert "modules.edgeHub.hartbeat" in warning["problem"]
    assert "heartbeat" in warning["problem"].replace("hartbeat", "")


def test_each_module_that_is_enabled_and_not_built_is_one_warning_by_name(programs: Any) -> None:
    node = programs.node(
        dbTest__enable=True, edgeStream__enable=True, edgeHub__quic__enable=True, edgeHub__websocket__enable=False
    )
    node.ready()

    warned = [line["module"] for line in node.lines("module_not_built")]
    assert warned == ["modules.dbTest", "modules.edgeHub.quic", "modules.edgeStream"]


def test_a_default_path_that_cannot_be_written_names_the_key_and_the_command(programs: Any) -> None:
    database = EdgeCoreConfig().database.path
    writable = next(place for place in database.parents if place.exists())
    if os.geteuid() == 0:
        programs.prefix = AS_NOBODY
    elif os.access(writable, os.W_OK):
        pytest.skip(f"{writable} can be written by the user who runs the tests")
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "edgecore.yaml")
        config.write_text("modules: {edgeHub: {websocket: {server: 'ws://127.0.0.1:9'}}}")
        Path(directory).chmod(0o755)
        done = programs.run("edgecore", "run", "--config", config)

    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "database.dataSource" in line]
    assert str(database) in line
    assert "Permission denied" in line
    assert "`edgecore config --min --user`" in done.stderr
