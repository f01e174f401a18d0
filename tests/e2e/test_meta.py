"""``edgecore meta`` beside a running node and its cloud: the lines of docs/reference/metadata.md, and what they say."""

import json
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/reference/metadata.md"
TYPES = "service,podlist,listener,secret"
LINES = re.findall(r"^\$ edgecore meta (.*?)(?: +#.*)?$", DOCUMENT.read_text(), re.MULTILINE)


@pytest.fixture
def node(programs: Any, words: Any) -> Any:
    """A node to which a cloud has sent a service, its pods, and a secret."""
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    node.wait_for("link", lambda status: status["state"] == "ok")
    secret = {"metadata": {"name": "pw", "namespace": "default"}, "data": {"pw": "aHVudGVyMg=="}}
    cloud.send(*words.arrival("web", 12345, ("127.0.0.2", 8000)), words.message("insert", "default/secret/pw", secret))
    node.service("web")
    node.cloud = cloud
    return node


def ask(programs: Any, node: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    done: subprocess.CompletedProcess[str] = programs.run("edgecore", "meta", *arguments, "--config", node.config)
    return done


def documented(programs: Any, node: Any, line: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of the document for ``node``, in a directory of its own."""
    words = [word.replace("before.json", str(node.directory / "before.json")) for word in shlex.split(line)]
    if "--db" in words:
        words[words.index("--db") + 1] = str(node.directory / "edgecore.db")
        done: subprocess.CompletedProcess[str] = programs.run("edgecore", "meta", *words)
        return done
    return ask(programs, node, *words)


def test_the_lines_of_the_document_work(programs: Any, node: Any) -> None:
    *lines, last = LINES
    assert (len(lines), last) == (12, "watch")
    for line in lines:
        done = documented(programs, node, line)
        may_differ = line.startswith("diff") and "--ignore-status" not in line
        assert done.returncode in ((0, 1) if may_differ else (0,)), (line, done.stdout, done.stderr)
        assert "aHVudGVyMg" not in done.stdout


def test_each_row_says_by_which_message_it_is_so(programs: Any, words: Any, node: Any) -> None:
    node.cloud.send(words.put(words.service("web", ("http", 12345), ("more", 12346))))
    before = json.loads(ask(programs, node, "get", "svc", "web", "-o", "json").stdout)
    node.cloud.send(words.put(words.service("web", ("http", 12345), ("more", 12346))))
    after = json.loads(ask(programs, node, "get", "svc", "web", "-o", "json").stdout)

    origin = before["origin"]
    assert (origin["source"], origin["operation"], origin["resource"]) == (
        "edgecontroller",
        "insert",
        "default/service/web",
    )
    assert [port["port"] for port in before["value"]["spec"]["ports"]] == [12345, 12346]
    assert after == before


def test_the_rows_are_the_same_of_the_node_and_of_its_file(programs: Any, node: Any) -> None:
    live = ask(programs, node, "list", TYPES, "-o", "json")
    assert [row["key"] for row in json.loads(live.stdout)] == [
        "default/listener/default.web",
        "default/podlist/web",
        "default/secret/pw",
        "default/service/web",
    ]
    file = str(node.directory / "edgecore.db")
    while_it_runs = programs.run("edgecore", "meta", "list", TYPES, "-o", "json", "--db", file)
    assert (while_it_runs.stdout, while_it_runs.stderr) == (live.stdout, "")
    assert node.stop() == 0
    beside = sorted(path.name for path in node.directory.glob("edgecore.db*"))
    afterwards = programs.run("edgecore", "meta", "list", TYPES, "-o", "json", "--db", file)
    assert (afterwards.stdout, afterwards.stderr) == (live.stdout, "")
    assert sorted(path.name for path in node.directory.glob("edgecore.db*")) == beside


def test_a_change_is_watched_of_the_node_and_of_its_file(programs: Any, words: Any, node: Any) -> None:
    sources = (["--config", str(node.config)], ["--db", str(node.directory / "edgecore.db")])
    watching = [
        subprocess.Popen(
            programs._command(["edgecore", "meta", "watch", "service", "-o", "json", *source]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=programs.env,
            cwd=ROOT,
        )
        for source in sources
    ]
    try:
        for one in watching:
            assert one.stderr is not None
            assert one.stderr.readline().startswith("watching ")
        sent = words.put(words.service("web", ("http", 12346)))
        node.cloud.send(sent)
        told = [json.loads(one.stdout.readline()) for one in watching if one.stdout is not None]
        for one in watching:
            one.send_signal(signal.SIGINT)
        assert [one.wait(10) for one in watching] == [130, 130]
        assert [one.stderr.read() for one in watching if one.stderr is not None] == ["", ""]
    finally:
        for one in watching:
            one.kill()
            one.communicate()
    for change in told:
        assert (change["change"], change["key"]) == ("changed", "default/service/web")
        assert [place["path"] for place in change["paths"]] == ["spec.ports[http].port"]
        assert change["origin"]["operation"] == "insert"
    assert told[0]["origin"] == told[1]["origin"]


def test_manifests_of_a_node_can_be_applied_to_another_cloud(programs: Any, node: Any) -> None:
    manifests = ask(programs, node, "export", "service,secret", "-o", "yaml", "--show-secrets")
    assert {item["kind"] for item in yaml.safe_load(manifests.stdout)["items"]} == {"Service", "Secret"}
    path = node.directory / "all.yaml"
    path.write_text(manifests.stdout)
    directory = node.cloud.directory
    applied = programs.run("cloudhub_stub", "apply", "-f", path, "--state-dir", directory)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert applied.stdout.splitlines() == ["secret/pw created", "service/web created"]


def test_what_a_go_edgecore_left_in_place_of_a_node_is_found_while_the_node_runs(
    programs: Any, words: Any, node: Any
) -> None:
    assert ask(programs, node, "check").returncode == 0
    node.cloud.send(words.message("insert", "default/node/edge-1", "OK"))
    done = ask(programs, node, "check")
    assert done.returncode == 3
    assert 'error    default/node/edge-1: "OK" is stored as a node' in done.stdout
