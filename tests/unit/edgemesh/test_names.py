import pytest

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey, is_label


@pytest.mark.parametrize(
    ("host", "text"), [("10.0.0.1", "10.0.0.1:80"), ("::1", "[::1]:80"), ("fe80::1%eth0", "[fe80::1%eth0]:80")]
)
def test_an_endpoint_is_written_as_in_a_url(host: str, text: str) -> None:
    assert str(Endpoint(host, 80)) == text


def test_a_service_is_written_with_its_namespace() -> None:
    assert str(ServiceKey("default", "web")) == "default/web"


def test_a_pod_of_a_service_has_a_key_that_no_service_has() -> None:
    service = ServiceKey("default", "web")
    pod = service.pod("web-0")

    assert (str(pod), pod.is_pod, pod.service) == ("default/web-0.web", True, service)
    assert (service.is_pod, service.service) == (False, service)


@pytest.mark.parametrize(
    ("text", "holds"),
    [("a", True), ("web-0", True), ("0", True), ("a" * 63, True), ("", False), ("a" * 64, False), ("A", False)]
    + [(text, False) for text in ("a.b", "-a", "a-", "a_b", "a\n")],
)
def test_a_label_is_what_kubernetes_takes_for_one(text: str, holds: bool) -> None:
    assert is_label(text) is holds
