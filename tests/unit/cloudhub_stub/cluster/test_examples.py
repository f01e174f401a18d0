"""The examples: every file is a manifest that the cluster takes, and they fit each other as their README says."""

import io
from pathlib import Path

import pytest

from cloudhub_stub.cluster.defaults import with_defaults
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.manifests import read_path
from cloudhub_stub.cluster.selectors import label_selector_matches
from manifests_of_all_kinds import refusal

FOLDER = Path(__file__).parents[4] / "examples/manifests"
FILES = sorted(FOLDER.rglob("*.yaml"))


def objects(place: str) -> list[Object]:
    return [with_defaults(manifest.object) for manifest in read_path(FOLDER / place, io.StringIO())]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_an_example_is_one_object_that_is_taken_as_it_is_and_complete(file: Path) -> None:
    (manifest,) = read_path(file, io.StringIO())
    assert refusal(manifest.object) == ""
    assert refusal(with_defaults(manifest.object)) == ""


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        ("edgemesh-guide", ["Deployment", "Service"]),
        ("edge-nginx", ["Deployment", "Service"]),
        ("devices", ["DeviceModel", "Device"]),
        ("config", ["ConfigMap", "Pod", "Secret"]),
        ("names", ["Service", "Service", "Pod", "Pod"]),
    ],
)
def test_a_folder_can_be_applied_as_a_whole(folder: str, kinds: list[str]) -> None:
    assert [obj["kind"] for obj in objects(folder)] == kinds


def test_no_example_is_in_another_folder() -> None:
    assert {file.parent.name for file in FILES} == {"edgemesh-guide", "edge-nginx", "devices", "config", "names"}


@pytest.mark.parametrize("folder", ["edgemesh-guide", "edge-nginx"])
def test_the_service_finds_the_pods_and_their_port(folder: str) -> None:
    deployment, service = objects(folder)
    template = deployment["spec"]["template"]
    (port,) = template["spec"]["containers"][0]["ports"]
    assert label_selector_matches({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
    assert service["spec"]["ports"][0]["targetPort"] == port["containerPort"] == port["hostPort"] == 80
    assert service["spec"]["clusterIP"] == "None"


def test_the_pods_with_names_are_below_the_service_that_finds_them() -> None:
    outside, service, *pods = objects("names")
    assert outside["spec"]["type"] == "ExternalName"
    assert service["spec"]["clusterIP"] == "None"
    for pod in pods:
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == (
            pod["metadata"]["name"],
            service["metadata"]["name"],
        )


def test_the_device_has_its_model() -> None:
    model, device = objects("devices")
    assert device["spec"]["deviceModelRef"]["name"] == model["metadata"]["name"]
    wanted = {twin["propertyName"]: twin["desired"]["value"] for twin in device["status"]["twins"]}
    assert wanted == {"power-status": "ON"}
    assert wanted.keys() <= {each["name"] for each in model["spec"]["properties"]}


def test_the_read_me_speaks_of_every_folder() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert [folder for folder in sorted({file.parent.name for file in FILES}) if f"## {folder}:" not in text] == []
