"""The address of the cloud, as it is dialled."""

import pytest

from edgecore.modules.edgehub.transport import CloudAddress

PROJECT = "e632aba927ea4ac2b575ec1603d56f10"


@pytest.mark.parametrize(
    ("scheme", "host", "url"),
    [
        ("wss", "10.66.0.1", f"wss://10.66.0.1:10000/{PROJECT}/edge-node1/events"),
        ("ws", "cloud.example", f"ws://cloud.example:10000/{PROJECT}/edge-node1/events"),
        ("wss", "2001:db8::1", f"wss://[2001:db8::1]:10000/{PROJECT}/edge-node1/events"),
    ],
)
def test_the_url_names_project_and_node(scheme: str, host: str, url: str) -> None:
    assert CloudAddress(scheme, host, 10000, PROJECT, "edge-node1").url == url


def test_the_headers_are_those_of_go() -> None:
    headers = CloudAddress("wss", "10.66.0.1", 10000, PROJECT, "edge-node1").headers
    assert headers == {"Node_id": "edge-node1", "Project_id": PROJECT, "Connectionuse": "msg"}
