from edgecore import kube
from edgecore.modules.edgemesh.discovery.standing import NOBODY, NotReady, not_ready


def address(ip: str, pod: str = "") -> kube.EndpointAddress:
    return kube.EndpointAddress(ip, "", kube.TargetReference("Pod", pod) if pod else kube.TargetReference())


def endpoints(*subsets: tuple[list[kube.EndpointAddress], list[kube.EndpointAddress]]) -> kube.Endpoints:
    return kube.Endpoints(
        subsets=tuple(kube.EndpointSubset(tuple(ready), tuple(waiting)) for ready, waiting in subsets)
    )


def pod(name: str, ip: str) -> kube.Pod:
    return kube.Pod(kube.Metadata(name), status=kube.PodStatus(pod_ip=ip))


def test_without_endpoints_or_addresses_that_wait_nobody_is_not_ready() -> None:
    assert not_ready(None) is NOBODY
    assert not_ready(kube.Endpoints()) is NOBODY
    assert not_ready(endpoints(([address("10.0.0.1", "a")], []))) is NOBODY


def test_pods_that_wait_are_known_by_their_names_and_others_by_their_addresses() -> None:
    found = not_ready(endpoints(([], [address("172.17.0.2", "a"), address("172.17.0.3")])))

    assert found == NotReady(frozenset({"a"}), frozenset({"172.17.0.3"}))
    assert found.has(pod("a", ""))
    assert found.has(pod("b", "172.17.0.3"))
    assert not found.has(pod("b", "172.17.0.2"))  # on another node, the same address


def test_who_is_ready_in_another_subset_is_ready() -> None:
    found = not_ready(
        endpoints(
            ([address("172.17.0.2", "a"), address("172.17.0.3")], []),
            ([], [address("172.17.0.2", "a"), address("172.17.0.3"), address("172.17.0.4", "b")]),
        )
    )

    assert found == NotReady(frozenset({"b"}))


def test_a_pod_without_an_address_is_not_taken_for_one_that_has_none_either() -> None:
    assert not not_ready(endpoints(([], [address("")]))).has(pod("a", ""))
