"""What the commands about the cluster say to who asks for what is not there, or in words that make no sense."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudhub_stub.testing.cloud import Cloud

ROOT = Path(__file__).parents[2]
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: colours}\ndata: {wall: blue}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, ports: [{port: %s}]}\n"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud without edges in which there is one ConfigMap."""
    with Cloud.start(tmp_path_factory.mktemp("words"), plain=True) as cloud:
        cloud.apply(CONFIG_MAP)
        yield cloud


def run(cloud: Cloud, words: str, given: str = "") -> tuple[int, str, str]:
    """Run a command of the stub; return exit code, output, and the last line of what it complains of."""
    command = [sys.executable, "-m", "cloudhub_stub", *words.split(), "--state-dir", str(cloud.stub.directory)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("get pod web", 1, 'cannot get pods "web": not found in namespace default; see `cloudhub-stub get pods -A`'),
        ("get pods", 0, "No resources found in default namespace."),
        (
            "get pods -l app(",
            1,
            "cannot use the selector 'app(': '(' stands behind 'app', where =, ==, !=, in, notin or a comma could",
        ),
        (
            "get deploymnets",
            2,
            "there are no objects of kind 'deploymnets' (did you mean deployments?); see `cloudhub-stub get --help`",
        ),
        ("describe node edge-a", 1, 'nodes "edge-a" not found'),
        ("scale deployment web --replicas 2", 1, 'deployments.apps "web" not found'),
        ("delete service web", 1, 'cannot delete services "web": not found in namespace default'),
        ("delete pods --all -l app=web", 2, "-l and --all cannot be had together; see `cloudhub-stub delete --help`"),
        ("delete pods", 2, "give names, or -l SELECTOR, or --all; see `cloudhub-stub delete --help`"),
        ("messages edge-a", 1, "cannot show messages: there is no node 'edge-a'; see `cloudhub-stub get nodes`"),
        (
            "apply -f missing.yaml",
            1,
            "cannot read missing.yaml: No such file or directory; look at the name, and whether the directory is there",
        ),
        ("apply -f -", 1, "cannot find a manifest in standard input: nothing is in there"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(cloud: Cloud, words: str, code: int, complaint: str) -> None:
    found = run(cloud, words)
    assert (found[0], found[1]) == (code, "")
    assert found[2].removeprefix("cloudhub-stub: ").rpartition("error: ")[2] == complaint


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        ("70000", "spec.ports[0].port: it is 70000; it can be 1 to 65535"),
        ('"80"', "spec.ports[0].port: it is the text '80'; it must be a whole number (leave out the quotes)"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_document_and_the_others_are_applied(
    cloud: Cloud, port: str, reason: str
) -> None:
    code, out, complaint = run(cloud, "apply -f -", f"{CONFIG_MAP}---\n{SERVICE % port}")
    assert (code, out) == (1, "configmap/colours unchanged\n")
    assert complaint == f"cloudhub-stub: cannot apply service/web (standard input, document 2): {reason}"


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_got_can_be_applied_again_and_changes_nothing_but_what_is_edited(cloud: Cloud, form: str) -> None:
    before = cloud.get("ConfigMap", "colours")
    got = run(cloud, f"get configmap colours -o {form}")[1]
    assert run(cloud, "apply -f -", got) == (0, "configmap/colours unchanged\n", "")
    assert cloud.get("ConfigMap", "colours") == before
    edited = got.replace("wall: blue", "wall: red").replace('"wall": "blue"', '"wall": "red"')
    assert run(cloud, "apply -f -", edited) == (0, "configmap/colours configured\n", "")
    assert cloud.get("ConfigMap", "colours")["data"] == {"wall": "red"}
    cloud.apply(CONFIG_MAP)


def test_the_status_says_what_the_cluster_holds(cloud: Cloud) -> None:
    assert "\n  cluster           configmaps 1" in run(cloud, "status")[1]
