import pytest

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey


@pytest.mark.parametrize(
    ("host", "text"), [("10.0.0.1", "10.0.0.1:80"), ("::1", "[::1]:80"), ("fe80::1%eth0", "[fe80::1%eth0]:80")]
)
def test_an_endpoint_is_written_as_in_a_url(host: str, text: str) -> None:
    assert str(Endpoint(host, 80)) == text


def test_a_service_is_written_with_its_namespace() -> None:
    assert str(ServiceKey("default", "web")) == "default/web"
