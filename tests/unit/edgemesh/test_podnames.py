from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.podnames import MAX_NAMED_PODS, named_pods

MakePod = Callable[..., kube.Pod]
MakeService = Callable[..., kube.Service]
WEB = ServiceKey("default", "web")


@pytest.mark.parametrize("cluster_ip", ["None", "10.96.0.7", ""])
def test_pods_with_a_host_name_and_the_service_as_subdomain_have_names(
    make_service: MakeService, make_named_pod: MakePod, make_pod: MakePod, cluster_ip: str
) -> None:
    service = make_service(WEB)
    service = msgspec.structs.replace(service, spec=msgspec.structs.replace(service.spec, cluster_ip=cluster_ip))
    first, second = make_named_pod("web-1", "web"), make_named_pod("web-0", "web")

    found = named_pods(service, (first, second, make_pod("other", "10.0.0.1")))

    assert list(found.items()) == [("web-0", (second,)), ("web-1", (first,))]


@pytest.mark.parametrize(
    ("hostname", "subdomain"),
    [("web-0", ""), ("", "web"), ("web-0", "api"), ("web-0", "web.default"), ("Web-0", "web"), ("a.b", "web")],
)
def test_a_pod_without_both_or_with_a_host_name_that_is_no_label_has_none(
    make_service: MakeService, make_named_pod: MakePod, hostname: str, subdomain: str
) -> None:
    assert named_pods(make_service(WEB), (make_named_pod(hostname, subdomain),)) == {}


def test_pods_with_one_host_name_share_it(make_service: MakeService, make_named_pod: MakePod) -> None:
    pods = (make_named_pod("web-0", "web", "10.0.0.1"), make_named_pod("web-0", "web", "10.0.0.2"))

    assert named_pods(make_service(WEB), pods) == {"web-0": pods}


def test_pods_of_an_external_name_have_none(make_external: MakeService, make_named_pod: MakePod) -> None:
    assert named_pods(make_external(WEB, "example.com"), (make_named_pod("web-0", "web"),)) == {}


def test_so_many_pods_of_one_service_have_names_and_no_more(make_service: MakeService, make_named_pod: MakePod) -> None:
    pods = [make_named_pod(f"web-{number:04}", "web") for number in range(MAX_NAMED_PODS + 1)]

    assert list(named_pods(make_service(WEB), reversed(pods)))[-1] == f"web-{MAX_NAMED_PODS - 1:04}"
