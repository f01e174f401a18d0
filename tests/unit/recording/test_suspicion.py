"""Which texts may hold a secret; that where none is suspected, none is found."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.recording import redaction
from edgecore.recording.entries import CloudFrame
from edgecore.recording.reader import read_entries
from edgecore.recording.redaction import Redactor
from edgecore.recording.suspicion import is_suspect

DATA = Path(__file__).parents[2] / "data"
REDACTOR = Redactor(b"k" * 32, ["joinme-please"])
NAMES = [
    *("password", "DB_PASSWORD", "passwd", "pass-phrase", "pwd", "secret", "clientSecret", "secretName", "token"),
    *("accessToken", "token-x", "api_key", "apiKey", "access.key", "secret-key", "privateKey", "key", "credential"),
    *("credentials", "Authorization", "Cookie", "Set-Cookie", ".dockerconfigjson", ".dockercfg", "docker", "name"),
    *("value", "kind", "type", "data", "stringData", "resource", "route", "selfLink", "metadata", "secrets", "a"),
]
VALUES = [
    *("Secret", "SecretList", "secret", "Opaque", "kubernetes.io/tls", "bootstrap.kubernetes.io/token", "helm.sh/x.v1"),
    *("default/secret/s", "/api/v1/secrets/s", "/var/run/secrets/kubernetes.io/serviceaccount", "default-token-x"),
    *("MY_TOKEN", "x", "", "Bearer abcdefghij", "basic usage-of-it", "password=x", "token: x\nb: y", "a password :  x"),
    *("mqtt://me:x@broker", "nginx@sha256:00", "GET / HTTP/1.1\r\nX-Api-Key: x\r\n", "eyJhbGciOiJI.eyJleHAi.c2lnbm"),
    *("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "creationTimestamp", "/dev/termination"),
]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(VALUES)
JSON = st.recursive(
    SCALARS | st.sampled_from([encoded(f"{each} {each}") for each in VALUES]) | st.just(encoded("joinme-please")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(json.dumps)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(json.dumps).map(encoded)
    ),
    max_leaves=8,
)
INDENTS = st.sampled_from([{}, {"indent": 1}, {"indent": "\t"}, {"separators": (",", ":")}])


@given(JSON, INDENTS)
def test_where_nothing_is_suspected_nothing_is_replaced(value: Any, form: dict[str, Any]) -> None:
    text = value if isinstance(value, str) else json.dumps(value, **form)
    if is_suspect(text, ["joinme-please"]):
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(redaction, "is_suspect", lambda _text, _known: True)
        assert REDACTOR.text(text) == text


@pytest.mark.parametrize("name", ["b_services_endpoints_pods", "c_configmap_secret_pod", "d_devices_twins"])
def test_hardly_anything_that_a_cloud_says_is_suspected(name: str) -> None:
    texts = [one.text for one in read_entries(DATA / f"{name}.jsonl") if isinstance(one, CloudFrame)]
    suspected = [text for text in texts if is_suspect(text)]
    assert len(suspected) <= len(texts) // 8
    assert all("ecret" in text for text in suspected)


@pytest.mark.parametrize(
    "text",
    [
        '{"volumes":[{"name":"default-token-x","secret":{"secretName":"default-token-x","defaultMode":420}}]}',
        '{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","automountServiceAccountToken":false}',
        '{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z","labels":{"kubernetes.io/os":"linux"}}}',
        '{"image":"nginx@sha256:0123456789abcdef0123456789abcdef"}',
        '{"key":"node.kubernetes.io/not-ready","imagePullSecrets":[{"name":"regcred"}]}',
    ],
)
def test_what_every_pod_says_is_not_suspected(text: str) -> None:
    assert not is_suspect(text)
