"""Volumes and mounts: what files there are, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edged.process.facts import NodeFacts, Wrong
from edgecore.modules.edged.process.objects import Objects
from edgecore.modules.edged.process.volumes import (
    FILES_LIMIT,
    FILES_LIMIT_BYTES,
    VolumePlan,
    below,
    plan_links,
    plan_volumes,
)

FOUND = {("configmap", "cm"): {"a": b"1", "b": b"2"}, ("secret", "s"): {"k": b"x"}}


@pytest.fixture
def volumes(make_pod: Any, node: NodeFacts) -> Any:
    def plan(*listed: dict[str, Any]) -> tuple[VolumePlan, ...] | Wrong:
        pod = make_pod({}, volumes=list(listed))
        return plan_volumes(pod, Objects("shop", FOUND), node)

    return plan


def files(plan: VolumePlan) -> dict[str, tuple[bytes, int]]:
    return {str(file.path): (file.content, file.mode) for file in plan.files}


def test_keys_of_a_config_map_are_files_for_the_owner(volumes: Any) -> None:
    (plan,) = volumes({"name": "v", "configMap": {"name": "cm", "defaultMode": 0o755}})
    assert files(plan) == {"a": (b"1", 0o700), "b": (b"2", 0o700)}


def test_items_choose_keys_and_paths(volumes: Any) -> None:
    (plan,) = volumes({"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "d/e", "mode": 256}]}})
    assert files(plan) == {"d/e": (b"x", 0o400)}


def test_a_projected_volume_has_the_files_of_all_its_sources(volumes: Any) -> None:
    sources = [
        {"configMap": {"name": "cm"}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    (plan,) = volumes({"name": "v", "projected": {"sources": sources}})
    assert {name: content for name, (content, _) in files(plan).items()} == {
        "a": b"1",
        "b": b"2",
        "k": b"x",
        "name": b"p",
    }


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"name": "v", "configMap": {"name": "none"}}, 'configmap "none" not found'),
        (
            {"name": "v", "configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}},
            "ConfigMap shop/cm references non-existent key: z",
        ),
        (
            {"name": "v", "configMap": {"name": "cm", "items": [{"key": "a", "path": "../z"}]}},
            "ConfigMap shop/cm: '../z' is no relative path",
        ),
        ({"name": "v", "nfs": {}}, "volume v is of a kind that the process runtime does not have"),
        ({"name": "../v", "emptyDir": {}}, "'../v' is no name of a volume"),
        ({"name": "v", "hostPath": {"path": "etc"}}, "volume v: hostPath is no absolute path"),
        (
            {
                "name": "v",
                "configMap": {"name": "cm", "items": [{"key": "a", "path": "x"}, {"key": "b", "path": "x/y"}]},
            },
            "volume v: x/y lies below a file",
        ),
    ],
)
def test_what_cannot_be_made_keeps_the_container_in_creation(volumes: Any, volume: Any, message: str) -> None:
    assert volumes(volume) == Wrong("ContainerCreating", message)


@pytest.mark.parametrize(("names", "fits"), [(64, True), (65, False)])
def test_one_object_under_many_names_is_bounded_by_the_bytes_of_all(
    make_pod: Any, node: NodeFacts, names: int, fits: bool
) -> None:
    items = [{"key": "k", "path": f"f{number}"} for number in range(names)]
    pod = make_pod({}, volumes=[{"name": "v", "configMap": {"name": "big", "items": items}}])
    objects = Objects("shop", {("configmap", "big"): {"k": bytes(FILES_LIMIT_BYTES // 64)}})
    assert isinstance(plan_volumes(pod, objects, node), Wrong) is not fits


def test_volumes_have_so_many_files_and_directories_together(volumes: Any) -> None:
    directories = [{"name": f"v{number}", "emptyDir": {}} for number in range(FILES_LIMIT + 1)]
    assert len(volumes(*directories[1:])) == FILES_LIMIT
    assert volumes(*directories) == Wrong(
        "ContainerCreating",
        f"the volumes have more than {FILES_LIMIT} files and directories, or {FILES_LIMIT_BYTES} bytes,"
        " which is the limit",
    )


def test_an_optional_object_that_is_missing_is_an_empty_directory(volumes: Any) -> None:
    (plan,) = volumes({"name": "v", "configMap": {"name": "none", "optional": True}})
    assert plan == VolumePlan("v")


@pytest.mark.parametrize(
    "mounts",
    [
        [{"name": "none", "mountPath": "/x"}],
        [{"name": "v", "mountPath": "/"}],
        [{"name": "v", "mountPath": "/x/../../y"}],
        [{"name": "v", "mountPath": "/x", "subPath": "../y"}],
        [{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x/y"}],
    ],
)
def test_mounts_that_lead_elsewhere_are_refused(make_pod: Any, mounts: Any) -> None:
    (container,) = make_pod({"volumeMounts": mounts}).spec.containers
    assert isinstance(plan_links(container, [VolumePlan("v")]), Wrong)


@given(st.text(alphabet="./a\0", max_size=12))
def test_a_path_below_stays_below(text: str) -> None:
    path = below(text)
    assert path is None or (not path.is_absolute() and ".." not in path.parts)
