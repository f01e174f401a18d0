import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore.modules.edgemesh.upstream.annotations import ANNOTATIONS, PREFIX
from edgecore.modules.edgemesh.upstream.policy import Policy

READ = {annotation.name: annotation.read for annotation in ANNOTATIONS}
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "text", "fields"),
    [
        ("lb-strategy", "RoundRobin", {"strategy": "RoundRobin"}),
        ("lb-strategy", "ROUND_ROBIN", {"strategy": "RoundRobin"}),
        ("lb-strategy", "RANDOM", {"strategy": "Random"}),
        ("lb-strategy", "CONSISTENT_HASH", {"strategy": "ConsistentHash"}),
        ("lb-strategy", "least-request", {"strategy": "LeastRequest"}),
        ("lb-strategy", "sessionstickiness", {"strategy": "SessionStickiness"}),
        ("hash-key", "source", {"hash_by": "source", "hash_name": ""}),
        ("hash-key", "header:X-User", {"hash_by": "header", "hash_name": "x-user"}),
        ("hash-key", "Cookie: Id", {"hash_by": "cookie", "hash_name": "Id"}),
        ("hash-key", "cookie", {"hash_by": "cookie", "hash_name": "edgemesh-affinity"}),
        ("hash-balance-factor", "0", {"hash_balance": 0}),
        ("hash-balance-factor", "1.5", {"hash_balance": 1.5}),
        ("affinity-timeout", "3h", {"affinity_timeout_s": 10_800}),
        ("connect-timeout", "250ms", {"connect_timeout_s": 0.25}),
        ("request-timeout", "1m30s", {"request_timeout_s": 90}),
        ("idle-timeout", "0", {"idle_timeout_s": 0}),
        ("idle-timeout", "24h", {"idle_timeout_s": 86_400}),
        ("udp-idle-timeout", "30", {"udp_idle_timeout_s": 30}),
        ("retries", "0", {"retries": 0}),
        ("retry-budget", "0.1", {"retry_budget": 0.1}),
        ("retry-budget", "20%", {"retry_budget": 0.2}),
        ("eject-after", "0", {"eject_after": 0}),
        ("eject-base", "10s", {"eject_base_s": 10}),
        ("eject-max", "10m", {"eject_max_s": 600}),
        ("eject-max-share", "100%", {"eject_max_share": 1}),
        ("panic-share", "0", {"panic_share": 0}),
        ("health-check", "Probe", {"checks": "probe"}),
        ("drain-timeout", "0s", {"drain_s": 0}),
    ],
)
def test_what_is_allowed_becomes_a_field(name: str, text: str, fields: dict[str, Any]) -> None:
    read = READ[name](text)
    assert read == fields
    assert msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(Policy(), **read)), Policy)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("lb-strategy", "fastest", "it can be RoundRobin, Random, SessionStickiness, LeastRequest, ConsistentHash"),
        ("hash-key", "header", "no header can have that name"),
        ("hash-key", "header:", "no header can have that name"),
        ("hash-key", "cookie:a\r\nX: y", "no cookie can have that name"),
        ("hash-key", "cookie:a=b", "no cookie can have that name"),
        ("hash-key", "cookie:" + "a" * 129, "no cookie can have that name"),
        ("hash-key", "source:eth0", "it can be source, header:NAME, cookie or cookie:NAME"),
        ("hash-balance-factor", "1", "it can be 0 or a number from 1.05 to 10"),
        ("hash-balance-factor", "nan", "it is no number"),
        ("affinity-timeout", "0", "it can be from 1s to 24h"),
        ("affinity-timeout", "25h", "it can be from 1s to 24h"),
        ("connect-timeout", "5 seconds", "it is no duration; write it as 5s, 250ms or 1m30s"),
        ("connect-timeout", "1ms", "it can be from 10ms to 5m"),
        ("idle-timeout", "10ms", "it can be 0, or from 1s to 168h"),
        ("retries", "-1", "it can be a whole number from 0 to 10"),
        ("retries", "11", "it can be a whole number from 0 to 10"),
        ("retries", "two", "it can be a whole number from 0 to 10"),
        ("retries", "9" * 5000, "it can be a whole number from 0 to 10"),
        ("retry-budget", "120%", "it can be a share from 0 to 1, or from 0% to 100%"),
        ("retry-budget", "%", "it is no number"),
        ("health-check", "http", "it can be off, probe or tcp"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(name: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        READ[name](text)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda annotation: annotation.name)
def test_nothing_is_not_allowed_anywhere(annotation: Any) -> None:
    with pytest.raises(ValueError, match=r"^(it|no) "):
        annotation.read("")


def test_names_can_stand_in_kubernetes_with_a_port_behind_them() -> None:
    for annotation in ANNOTATIONS:
        assert re.fullmatch("[a-z]([a-z-]*[a-z])?", annotation.name)
        assert len(annotation.name) + len(".") + 15 <= 63
    assert len(READ) == len(ANNOTATIONS)
    assert PREFIX.endswith("/")


def test_the_documentation_has_every_annotation_and_no_other() -> None:
    text = (Path(__file__).parents[4] / "docs/reference/balancing.md").read_text("utf-8")
    documented = ROW.findall(text.partition("## Annotations")[2].partition("\n## ")[0])

    assert documented == [(each.name, each.allowed, each.help) for each in ANNOTATIONS]
