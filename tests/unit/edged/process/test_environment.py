"""The variables of a container, and the texts where there can be none."""

from typing import Any

import pytest

from edgecore.modules.edged.process.environment import environment
from edgecore.modules.edged.process.facts import CONFIG_ERROR, NodeFacts, Wrong, quantity
from edgecore.modules.edged.process.objects import Objects

FOUND = {("configmap", "cm"): {"a": b"1", "b.c": b"2", "0bad": b"3"}, ("secret", "s"): {"t": b"\xff"}}


@pytest.fixture
def variables(make_pod: Any, node: NodeFacts) -> Any:
    def find(env: Any = (), env_from: Any = (), found: Any = FOUND, **container: Any) -> dict[str, str] | Wrong:
        pod = make_pod({"env": list(env), "envFrom": list(env_from), **container})
        return environment(pod, pod.spec.containers[0], Objects("shop", found), node, {"PATH": "/bin"})

    return find


def field(path: str) -> dict[str, Any]:
    return {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def key(kind: str, name: str, of: str, optional: bool = False) -> dict[str, Any]:
    return {"name": "V", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": of, "optional": optional}}}


def test_the_later_variable_holds_and_sees_those_before_it(variables: Any) -> None:
    env = [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "A", "value": "$(A)y"}]
    assert variables(env) == {"PATH": "/bin", "A": "xy", "B": "x$(C)"}


def test_variables_that_name_each_other_do_not_become_more_than_there_is_room_for(variables: Any) -> None:
    doubling = [{"name": f"V{at}", "value": f"$(V{at - 1})" * 2} for at in range(1, 60)]
    found = variables([{"name": "V0", "value": "x" * 1000}, *doubling])
    assert found == Wrong(CONFIG_ERROR, "the variables have more than 1048576 characters together, which is the limit")


def test_one_key_that_is_taken_many_times_is_counted_each_time(variables: Any) -> None:
    found = {("configmap", "cm"): {"a": b"x" * 600_000}}
    once = {"configMapRef": {"name": "cm"}}
    assert isinstance(variables(env_from=[once], found=found), dict)
    assert isinstance(variables(env_from=[once, {**once, "prefix": "b"}], found=found), Wrong)
    assert isinstance(variables([key("configMap", "cm", "a")], [once], found=found), Wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="web"\ntier="b"'),
        ("metadata.annotations", 'note="a \\"b\\""'),
        ("spec.nodeName", "n1"),
        ("status.hostIP", "192.0.2.1"),
        ("status.podIP", "172.17.0.2"),
    ],
)
def test_a_field_of_the_pod_becomes_the_value(variables: Any, path: str, value: str) -> None:
    assert variables([field(path)])["V"] == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.memory", "1Mi", "64"),
        ("limits.memory", "1Gi", "8"),
        ("requests.cpu", "", "2"),
    ],
)
def test_requests_and_limits_are_in_units_of_the_divisor_rounded_up(
    variables: Any, resource: str, divisor: str, value: str
) -> None:
    env = [{"name": "V", "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}]
    resources = {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}
    assert variables(env, resources=resources)["V"] == value


def test_all_keys_of_an_object_are_variables_but_those_that_are_no_names(variables: Any) -> None:
    found = variables(env_from=[{"configMapRef": {"name": "cm"}}, {"prefix": "S_", "secretRef": {"name": "s"}}])
    assert found == {"PATH": "/bin", "a": "1", "b.c": "2", "S_t": "\udcff"}


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (key("configMap", "none", "a"), 'configmap "none" not found'),
        (key("secret", "none", "a"), 'secret "none" not found'),
        (key("configMap", "cm", "none"), "couldn't find key none in ConfigMap shop/cm"),
        (key("secret", "s", "none"), "couldn't find key none in Secret shop/s"),
        (field("spec.nothing"), "unsupported fieldPath: spec.nothing"),
        ({"name": "A=B", "value": ""}, "no process can have the variable 'A=B': a zero byte, or no name"),
        ({"name": "A", "value": "x\0"}, "no process can have the variable 'A': a zero byte, or no name"),
    ],
)
def test_what_is_not_there_is_told_as_by_the_kubelet(variables: Any, env: Any, message: str) -> None:
    assert variables([env]) == Wrong("CreateContainerConfigError", message)


def test_what_is_optional_may_be_missing(variables: Any) -> None:
    env = [key("configMap", "none", "a", True), key("secret", "s", "none", True)]
    assert variables(env, [{"configMapRef": {"name": "none", "optional": True}}]) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("500m", 0.5), ("1Ki", 1024), ("1k", 1000), ("2e3", 2000), ("x", None), ("1.1.1", None), ("", None)],
)
def test_a_quantity_is_read_with_its_suffix_or_refused(text: str, number: float | None) -> None:
    found = quantity(text)
    assert (None if found is None else float(found)) == number
