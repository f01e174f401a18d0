"""From a pod to processes: commands, images, directories, and what is said where there can be none."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.edged.podspec import decode_pod_to_run
from edgecore.modules.edged.process.expansion import expand
from edgecore.modules.edged.process.facts import Wrong
from edgecore.modules.edged.process.images import Images
from edgecore.modules.edged.process.plan import PodPlan, ProcessPlan, plan_pod, safe_name
from edgecore.modules.edged.process.probes import TcpTarget, plan_probe

PORTS = [{"name": "web", "containerPort": 80, "hostPort": 8080}, {"name": "admin", "containerPort": 81}]


def only(plan: PodPlan | Wrong) -> ProcessPlan | Wrong:
    assert isinstance(plan, PodPlan), plan
    (process,) = plan.containers.values()
    return process


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NOT)", "$(NOT)"),
        ("$(A", "$(A"),
        ("$A $", "$A $"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_by_kubernetes(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "$(A)"}) == expanded


@given(st.text(alphabet="$()Ab", max_size=30))
def test_without_variables_only_double_dollars_change(text: str) -> None:
    expanded = expand(text, {})
    assert expanded is not None
    assert len(expanded) <= len(text)
    assert expand(text.replace("$", ""), {}) == text.replace("$", "")


@given(st.text(alphabet="$()Ab", max_size=30), st.integers(0, 40))
def test_what_is_expanded_has_room_or_is_none(text: str, room: int) -> None:
    whole = expand(text, {"A": "$$$", "b": ""})
    assert whole is not None
    assert expand(text, {"A": "$$$", "b": ""}, room) == (whole if len(whole) <= room else None)


def test_a_text_of_references_that_end_nowhere_is_read_once() -> None:
    assert expand("$(" * 300_000, {}) == "$(" * 300_000


@pytest.mark.parametrize("entry", [{"command": ["x"]}, {"image": "i"}])
def test_a_command_that_becomes_too_long_is_refused(make_pod: Any, ground: Any, entry: dict[str, Any]) -> None:
    container = {**entry, "args": ["$(A)"] * 2000, "env": [{"name": "A", "value": "x" * 1000}]}
    process = only(plan_pod(make_pod(container), ground(None, "i=run {args}")))
    assert process == Wrong(
        "CreateContainerConfigError", "the command has more than 1048576 characters, which is the limit"
    )


def test_command_and_args_are_run_with_the_variables_in_them(make_pod: Any, ground: Any) -> None:
    pod = make_pod({"command": ["sh", "-c"], "args": ["echo $(A)"], "env": [{"name": "A", "value": "x"}]})
    process = only(plan_pod(pod, ground()))
    assert isinstance(process, ProcessPlan)
    assert process.command == ("sh", "-c", "echo x")
    assert process.directory == "/pods/u1/containers/c0/work"
    assert (process.variables["LANG"], process.variables["HOSTNAME"]) == ("C", "p")


@pytest.mark.parametrize(
    ("image", "command"),
    [
        ("nginx", "any"),
        ("nginx:1.17", "one"),
        ("docker.io/library/nginx:1.17", "one"),
        ("nginx:latest", "any"),
        ("nginx@sha256:00ff", "any"),
        ("nginx:1.17@sha256:00ff", "one"),
        ("localhost:5000/nginx", ""),
        ("registry.example:5000/web:2", "own"),
        ("nginxx", ""),
    ],
)
def test_an_image_is_found_by_name_and_tag_then_by_name(image: str, command: str) -> None:
    found = Images(["nginx=any", "nginx:1.17=one", "registry.example:5000/web=own"]).find(image)
    assert (found.words[0] if found else "") == command


def test_placeholders_of_an_image_are_filled_with_what_the_container_has(make_pod: Any, ground: Any) -> None:
    entry = "nginx=serve '{hostPort} x' {containerPort.admin} {args} --at={root}@{nodeIP} {other}"
    pod = make_pod({"image": "nginx:1", "ports": PORTS, "args": ["-v", "{root}"]})
    process = only(plan_pod(pod, ground(None, entry)))
    assert isinstance(process, ProcessPlan)
    root = "/pods/u1/containers/c0/root"
    assert process.command == ("serve", "8080 x", "81", "-v", "{root}", f"--at={root}@192.0.2.1", "{other}")
    assert process.listens_at_host_port


def test_an_image_that_needs_a_port_that_is_not_there_is_not_run(make_pod: Any, ground: Any) -> None:
    process = only(plan_pod(make_pod({"image": "nginx"}), ground(None, "nginx=serve {hostPort}")))
    assert isinstance(process, Wrong)
    assert process.reason == "CreateContainerConfigError"
    assert "{hostPort}" in process.message


def test_an_image_without_command_says_what_to_configure(make_pod: Any, ground: Any) -> None:
    process = only(plan_pod(make_pod({"image": "nginx"}), ground()))
    assert isinstance(process, Wrong)
    assert (process.reason, "processImages" in process.message) == ("ErrImagePull", True)


@pytest.mark.parametrize("entries", [["x"], ["=y"], ["x="], ["x='open"]])
def test_an_entry_that_is_none_is_refused(entries: list[str]) -> None:
    with pytest.raises(ValueError, match=r"is not IMAGE=COMMAND|No closing quotation"):
        Images(entries)


@pytest.mark.parametrize(("own", "of_pod", "runs"), [(True, None, False), (None, True, False), (False, True, True)])
def test_what_is_not_to_be_root_does_not_run_in_a_node_that_is(
    make_pod: Any, ground: Any, own: bool | None, of_pod: bool | None, runs: bool
) -> None:
    container = {"command": ["x"], "securityContext": {"runAsNonRoot": own}}
    pod = make_pod(container, securityContext={"runAsNonRoot": of_pod})
    assert isinstance(only(plan_pod(pod, ground()._replace(is_root=True))), ProcessPlan) is runs
    assert isinstance(only(plan_pod(pod, ground())), ProcessPlan)


def test_a_working_directory_below_a_mount_is_found_there(make_pod: Any, ground: Any) -> None:
    container = {
        "command": ["x"],
        "workingDir": "/data/in",
        "volumeMounts": [{"name": "v", "mountPath": "/data"}],
    }
    pod = make_pod(container, volumes=[{"name": "v", "emptyDir": {}}])
    process = only(plan_pod(pod, ground()))
    assert isinstance(process, ProcessPlan)
    assert process.directory == "/pods/u1/containers/c0/root/data/in"


def test_in_the_arguments_of_an_image_variables_are_expanded(make_pod: Any, ground: Any) -> None:
    pod = make_pod({"image": "x", "args": ["$(A)"], "env": [{"name": "A", "value": "1"}]})
    process = only(plan_pod(pod, ground(None, "x=run {args}")))
    assert isinstance(process, ProcessPlan)
    assert process.command == ("run", "1")


@pytest.mark.parametrize(("entry", "address"), [("x=run {nodeIP}:1", "192.0.2.1"), ("x=run 1", "127.0.0.1")])
def test_what_listens_at_the_nodes_address_is_asked_there(make_pod: Any, ground: Any, entry: str, address: str) -> None:
    container = {"image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}
    pod = make_pod(container)
    process = only(plan_pod(pod, ground(None, entry)))
    assert isinstance(process, ProcessPlan)
    (asked,) = pod.spec.containers
    assert asked.readiness_probe is not None
    probe = plan_probe(asked.readiness_probe, asked, at_host_port=False, address=process.address)
    assert probe.target == TcpTarget(address, 1)


def test_an_image_that_is_its_arguments_alone_needs_some(make_pod: Any, ground: Any) -> None:
    process = only(plan_pod(make_pod({"image": "x"}), ground(None, "x={args}")))
    assert isinstance(process, Wrong)
    assert process.reason == "CreateContainerConfigError"


@given(st.text(max_size=200))
def test_a_uid_never_leads_out_of_the_directory(uid: str) -> None:
    name = safe_name(uid)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\0" not in name


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = ("command", "args", "env", "envFrom", "volumeMounts", "workingDir", "ports", "livenessProbe")


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON), st.dictionaries(st.sampled_from(["volumes", "x"]), _JSON))
def test_whatever_a_pod_holds_it_is_a_plan_or_it_is_said_what_is_wrong(
    ground: Any, container: dict[str, Any], spec: dict[str, Any]
) -> None:
    pod = {"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c", **container}], **spec}}
    try:
        read = decode_pod_to_run(msgspec.json.encode(pod))
    except ContentError:
        return
    assert isinstance(plan_pod(read, ground()), PodPlan | Wrong)
