from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.kube import Service, ServicePort, decode_service
from edgecore.modules.edgemesh.upstream.annotations import ANNOTATIONS, PREFIX
from edgecore.modules.edgemesh.upstream.policies import MAX_PROBLEMS, policy_of, sources_of
from edgecore.modules.edgemesh.upstream.policy import Policy

HTTP = ServicePort(name="http-api", port=80)
ADMIN = ServicePort(name="admin", port=81)
NAMELESS = ServicePort(port=82)
DEFAULTS = Policy(retries=1, affinity_timeout_s=77.0)


def service(annotations: dict[str, str] | None = None, **spec: Any) -> Service:
    """Return a service as it comes, whose annotations are written without our prefix."""
    ports = [{"name": "http-api", "port": 80}, {"name": "admin", "port": 81}, {"port": 82}]
    written = {f"{PREFIX}{name}": text for name, text in (annotations or {}).items()}
    content = {"metadata": {"name": "web", "annotations": written}, "spec": {"ports": ports, **spec}}
    return decode_service(msgspec.json.encode(content))


def test_a_service_that_says_nothing_has_the_defaults() -> None:
    policy, problems = policy_of(DEFAULTS, service(), HTTP)
    assert policy is DEFAULTS
    assert problems == ()


def test_annotations_of_others_are_passed_over() -> None:
    others = Service(metadata=msgspec.structs.replace(service().metadata, annotations={"lb-strategy": "x", "a/b": "c"}))
    assert policy_of(DEFAULTS, others, HTTP) == (DEFAULTS, ())


def test_an_annotation_counts_for_every_port() -> None:
    annotated = service({"lb-strategy": "LeastRequest", "connect-timeout": " 250ms "})
    for port in (HTTP, ADMIN, NAMELESS):
        policy, problems = policy_of(DEFAULTS, annotated, port)
        assert problems == ()
        assert (policy.strategy, policy.connect_timeout_s, policy.retries) == ("LeastRequest", 0.25, 1)


@pytest.mark.parametrize("place", ["http-api", "80"])
@pytest.mark.parametrize("port_first", [True, False])
def test_an_annotation_of_a_port_counts_for_it_alone_and_wins(place: str, port_first: bool) -> None:
    pairs = [("lb-strategy", "Random"), (f"lb-strategy.{place}", "LeastRequest"), (f"retries.{place}", "0")]
    annotated = service(dict(reversed(pairs) if port_first else pairs))

    policy, problems = policy_of(DEFAULTS, annotated, HTTP)
    other, other_problems = policy_of(DEFAULTS, annotated, ADMIN)
    assert (policy.strategy, policy.retries, problems) == ("LeastRequest", 0, ())
    assert (other.strategy, other.retries, other_problems) == ("Random", 1, ())


def test_a_ports_name_wins_over_its_number() -> None:
    annotated = service({"retries.http-api": "3", "retries.80": "4"})
    assert policy_of(DEFAULTS, annotated, HTTP)[0].retries == 3


def test_a_port_without_a_name_goes_by_its_number() -> None:
    annotated = service({"retries": "2", "retries.82": "4"})
    assert policy_of(DEFAULTS, annotated, NAMELESS)[0].retries == 4


def test_what_cannot_be_used_leaves_the_default_and_is_told() -> None:
    policy, problems = policy_of(DEFAULTS, service({"retries": "many", "connect-timeout": "1s"}), HTTP)
    assert (policy.retries, policy.connect_timeout_s) == (1, 1)
    assert problems == (
        "cannot use annotation edgemesh.kubeedge.io/retries 'many': it can be a whole number from 0 to 10",
    )


def test_what_cannot_be_used_for_a_port_leaves_what_is_said_for_all_and_is_told_for_that_port_alone() -> None:
    annotated = service({"retries": "2", "retries.http-api": "many"})
    policy, problems = policy_of(DEFAULTS, annotated, HTTP)
    assert policy.retries == 2
    assert [text.partition(":")[0] for text in problems] == [
        "cannot use annotation edgemesh.kubeedge.io/retries.http-api 'many'"
    ]
    assert policy_of(DEFAULTS, annotated, ADMIN)[1] == ()


def test_a_name_that_is_nearly_right_is_told_with_the_right_one() -> None:
    _, problems = policy_of(DEFAULTS, service({"lbStrategy": "Random", "retry.http-api": "1"}), HTTP)
    assert problems == (
        "cannot use annotation edgemesh.kubeedge.io/lbStrategy: there is none of that name; did you mean lb-strategy?",
        "cannot use annotation edgemesh.kubeedge.io/retry.http-api: there is none of that name; did you mean retries?",
    )


def test_a_name_that_is_like_none_is_told_with_all() -> None:
    _, problems = policy_of(DEFAULTS, service({"zzz": "1"}), HTTP)
    names = ", ".join(annotation.name for annotation in ANNOTATIONS)
    assert problems == (
        f"cannot use annotation edgemesh.kubeedge.io/zzz: there is none of that name; there are {names}",
    )


@pytest.mark.parametrize("place", ["https", "8080", ""])
def test_a_port_that_is_not_there_is_told(place: str) -> None:
    _, problems = policy_of(DEFAULTS, service({f"retries.{place}": "1"}), HTTP)
    why = "the service has no such port; its ports are 80, 81, 82, admin, http-api"
    assert problems == (f"cannot use annotation edgemesh.kubeedge.io/retries.{place}: {why}",)


def test_problems_are_short_and_few_whatever_is_written() -> None:
    annotated = service({f"word-{number}-{'x' * 300}": "1" for number in range(100)} | {"retries": "y" * 100_000})
    _, problems = policy_of(DEFAULTS, annotated, HTTP)
    assert len(problems) == MAX_PROBLEMS
    assert max(map(len, problems)) < 600


def test_the_longest_ejection_is_never_shorter_than_the_first() -> None:
    policy, problems = policy_of(DEFAULTS, service({"eject-base": "10m"}), HTTP)
    assert (policy.eject_base_s, policy.eject_max_s, problems) == (600, 600, ())


@pytest.mark.parametrize("affinity", ["", "None"])
def test_without_session_affinity_nothing_changes(affinity: str) -> None:
    assert policy_of(DEFAULTS, service(sessionAffinity=affinity), HTTP) == (DEFAULTS, ())


def test_session_affinity_is_stickiness_by_the_address_of_the_client() -> None:
    config = {"clientIP": {"timeoutSeconds": 600}}
    by_cookie = Policy(strategy="ConsistentHash", hash_by="cookie", hash_name="id")
    for defaults in (DEFAULTS, by_cookie):
        policy, problems = policy_of(defaults, service(sessionAffinity="ClientIP", sessionAffinityConfig=config), HTTP)
        assert problems == ()
        assert policy == msgspec.structs.replace(
            defaults, strategy="SessionStickiness", hash_by="source", hash_name="", affinity_timeout_s=600.0
        )


@pytest.mark.parametrize("config", [None, {}, {"clientIP": None}, {"clientIP": {"timeoutSeconds": None}}])
def test_session_affinity_without_a_timeout_has_the_default_one(config: Any) -> None:
    policy, problems = policy_of(DEFAULTS, service(sessionAffinity="ClientIP", sessionAffinityConfig=config), HTTP)
    assert (policy.strategy, policy.affinity_timeout_s, problems) == ("SessionStickiness", 77.0, ())


@pytest.mark.parametrize("seconds", [0, -1, 86_401, 10**400])
def test_a_timeout_out_of_bounds_is_told(seconds: int) -> None:
    affinity = Service(
        spec=msgspec.structs.replace(
            service().spec,
            session_affinity="ClientIP",
            session_affinity_config=msgspec.convert(
                {"clientIP": {"timeoutSeconds": seconds}}, type(service().spec.session_affinity_config)
            ),
        )
    )
    policy, problems = policy_of(DEFAULTS, affinity, HTTP)
    assert (policy.strategy, policy.affinity_timeout_s) == ("SessionStickiness", 77.0)
    assert problems == ("cannot use sessionAffinityConfig.clientIP.timeoutSeconds: it can be from 1 to 86400",)


def test_a_kind_of_affinity_that_there_is_not_is_told() -> None:
    assert policy_of(DEFAULTS, service(sessionAffinity="Cookie"), HTTP) == (
        DEFAULTS,
        ("cannot use sessionAffinity 'Cookie': it can be None or ClientIP",),
    )


def test_annotations_win_over_session_affinity() -> None:
    random, _ = policy_of(DEFAULTS, service({"lb-strategy": "Random"}, sessionAffinity="ClientIP"), HTTP)
    assert random.strategy == "Random"
    by_cookie, _ = policy_of(DEFAULTS, service({"hash-key": "cookie:id"}, sessionAffinity="ClientIP"), HTTP)
    assert (by_cookie.strategy, by_cookie.hash_by, by_cookie.hash_name) == ("SessionStickiness", "cookie", "id")


def test_a_strategy_that_cannot_be_used_leaves_session_affinity_in_force() -> None:
    policy, problems = policy_of(DEFAULTS, service({"lb-strategy": "sticky"}, sessionAffinity="ClientIP"), HTTP)
    assert policy.strategy == "SessionStickiness"
    assert len(problems) == 1


names = st.one_of(
    st.sampled_from([each.name for each in ANNOTATIONS]),
    st.builds("{}.{}".format, st.sampled_from([each.name for each in ANNOTATIONS]), st.sampled_from(("80", "admin"))),
    st.text(max_size=20),
)


@given(st.dictionaries(names, st.one_of(st.text(), st.sampled_from(("0", "1", "5s", "10%", "tcp", "cookie")))))
def test_whatever_is_annotated_gives_a_policy_that_other_processes_can_read(annotations: dict[str, str]) -> None:
    annotated = msgspec.structs.replace(
        service(),
        metadata=msgspec.structs.replace(
            service().metadata, annotations={f"{PREFIX}{name}": text for name, text in annotations.items()}
        ),
    )
    for port in (HTTP, ADMIN, NAMELESS):
        policy, problems = policy_of(DEFAULTS, annotated, port)
        assert msgspec.json.decode(msgspec.json.encode(policy), type=Policy) == policy
        assert policy.eject_max_s >= policy.eject_base_s
        assert all(text.startswith("cannot use ") for text in problems)


def test_each_field_names_the_annotation_or_the_field_that_says_so_the_one_that_wins() -> None:
    annotations = {"retries": "1", "retries.http-api": "2", "eject-after": "x", "hash-key": "source"}
    affinity = {"clientIP": {"timeoutSeconds": 60}}
    said = service(annotations, sessionAffinity="ClientIP", sessionAffinityConfig=affinity)
    assert sources_of(said, HTTP) == {
        "strategy": "spec.sessionAffinity",
        "hash_by": PREFIX + "hash-key",
        "hash_name": PREFIX + "hash-key",
        "affinity_timeout_s": "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        "retries": PREFIX + "retries.http-api",
    }
