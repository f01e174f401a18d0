"""Which texts are secrets, what stands for them, and that nothing else changes."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Direction,
    Entry,
    Fault,
    Http,
    MqttDirection,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
    Write,
)
from edgecore.recording.lines import line_of
from edgecore.recording.redaction import PREFIX, Redactor

REDACTOR = Redactor(b"k" * 32)
CANARY = "canary-7f3a-hunter2"
PEM = f"-----BEGIN EC PRIVATE KEY-----\nMHc{CANARY}CAQEE\n-----END EC PRIVATE KEY-----\n"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNzAwMDB9.c2lnbmF0dXJl"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SECRET = {"metadata": {"name": "s1", "namespace": "default"}, "data": {"pw": encoded(CANARY)}, "type": "Opaque"}


def frame(resource: str, content: Any) -> str:
    route = {"source": "edgecontroller", "group": "resource", "operation": "update", "resource": resource}
    return json.dumps({"header": {"msg_id": "1"}, "route": route, "content": content}) + "\n"


def holds(text: str) -> bool:
    """Tell whether the canary stands in a text, as it is or as base64 at any offset."""
    digits = [encoded(" " * pad + CANARY)[4 if pad else 0 : 20] for pad in range(3)]
    return CANARY in text or any(each in text for each in digits)


@pytest.mark.parametrize(
    "text",
    [
        frame("default/secret/s1", SECRET),
        frame("default/secret/s1", {"data": {"pw": encoded(CANARY)}}),
        frame("default/secret/s1", {"stringData": {"pw": CANARY}}),
        frame("default/secret/s1", json.dumps(SECRET)),
        frame("default/secret/s1", encoded(json.dumps(SECRET))),
        frame("default/secret", [SECRET, SECRET]),
        frame("default/x/y", {"kind": "Secret", "data": {"pw": encoded(CANARY)}}),
        frame("default/x/y", {"kind": "SecretList", "items": [{"data": {"pw": encoded(CANARY)}}]}),
        frame("default/x/y", {"items": [SECRET]}),
        frame("default/x/y", {"metadata": {"annotations": {"last-applied": json.dumps(SECRET)}}}),
        frame("default/configmap/c", {"data": {"DB_PASSWORD": CANARY}}),
        frame("default/configmap/c", {"data": {"app.yaml": f"user: me\npassword: {CANARY}\n"}}),
        frame("default/configmap/c", {"data": {"key.pem": PEM}}),
        frame("default/pod/p", {"spec": {"env": [{"name": "API_TOKEN", "value": CANARY}]}}),
        frame("default/pod/p", {"spec": {"args": [f"--password={CANARY}"]}}),
        frame("device/led/twin", {"twin": {"password": {"expected": {"value": CANARY}}}}),
        frame("a/rule/b", {"header": {"Authorization": [f"Bearer {CANARY}"], "Cookie": [f"id={CANARY}"]}}),
        frame("a/rule/b", {"body": encoded(json.dumps({"password": CANARY}))}),
        frame("a/rule/b", {"body": encoded(PEM)}),
        json.dumps({"key": "default/secret/s1", "type": "secret", "value": {"data": {"pw": encoded(CANARY)}}}),
        f"GET /x HTTP/1.1\r\nAuthorization: Basic {encoded('me:' + CANARY)}\r\n\r\n",
        f"GET /x HTTP/1.1\r\nCookie: session={CANARY}; other={CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nSet-Cookie: session={CANARY}\r\n\r\n",
        f"GET /x HTTP/1.1\r\nX-Api-Key: {CANARY}\r\n\r\n",
        f"GET /x?access_token={CANARY}&y=1 HTTP/1.1\r\n\r\n",
        f"mqtt://me:{CANARY}@broker:1883",
        PEM,
        PEM.partition("-----END")[0],
        encoded(PEM),
    ],
)
def test_a_secret_is_replaced(text: str) -> None:
    assert holds(_opened(text))
    assert not holds(_opened(REDACTOR.text(text)))
    assert PREFIX in _opened(REDACTOR.text(text))


def _opened(text: str) -> str:
    """Return a text together with what it holds as base64."""
    found = [text]
    for one in text.replace("\\", "").split('"'):
        try:
            found.append(base64.b64decode(one, validate=True).decode())
        except ValueError:
            continue
    return "\n".join([*found, *(_opened(one) for one in found[1:] if one)])


@pytest.mark.parametrize("text", [JWT, f"{'ab' * 32}.{JWT}", f'{{"content":"{JWT}"}}', f"Bearer {JWT}"])
def test_a_token_is_replaced_wherever_it_stands(text: str) -> None:
    told = REDACTOR.text(text)
    assert "eyJleHAi" not in told
    assert PREFIX in told


@pytest.mark.parametrize(
    "text",
    [
        frame("default/service/nginx", {"spec": {"ports": [{"port": 80, "name": "http"}]}}),
        frame("default/pod/p", {"spec": {"volumes": [{"name": "v", "secret": {"secretName": "default-token-x"}}]}}),
        frame("default/pod/p", {"spec": {"imagePullSecrets": [{"name": "regcred"}], "automount": {"token": True}}}),
        frame("default/secret/s1", "OK"),
        frame("default/secret/nope", "secret not found"),
        '{"token": null, "content":   1.50, "a": "\\u003c", "a": "twice"}',
        "cannot find secret: not there",
        "",
        "{",
        '"',
        "[1, 2",
    ],
)
def test_what_is_no_secret_stays_to_the_byte(text: str) -> None:
    assert REDACTOR.text(text) == text


def test_what_stands_beside_a_secret_stays_to_the_byte() -> None:
    text = '{"a" :1.50,  "password":"x\\"y", "b":"\\u003c", "b": 12345678901234567890}\n'
    told = REDACTOR.text(text)
    assert told == text.replace('x\\"y', REDACTOR.pseudonym('x"y'))


def test_equal_secrets_have_equal_pseudonyms_and_base64_stays_base64() -> None:
    told = json.loads(REDACTOR.text(frame("default/secret/s1", {"stringData": {"a": CANARY}, **SECRET})))["content"]
    assert base64.b64decode(told["data"]["pw"]).decode() == told["stringData"]["a"] == REDACTOR.pseudonym(CANARY)


def test_binary_data_of_a_secret_stays_base64() -> None:
    data = base64.b64encode(b"\xff\x00\xfe").decode()
    told = json.loads(REDACTOR.text(frame("default/secret/s1", {"data": {"k": data}})))["content"]["data"]["k"]
    assert base64.b64decode(told).decode().startswith(PREFIX)


def test_another_key_makes_other_pseudonyms() -> None:
    assert Redactor(b"another").pseudonym("x") != REDACTOR.pseudonym("x")


def test_a_number_under_a_secret_name_stays_a_number_of_its_length() -> None:
    told = json.loads(REDACTOR.text('{"password": 123456}'))["password"]
    assert isinstance(told, int)
    assert told != 123456
    assert len(str(told)) == 6


def test_a_known_secret_is_replaced_wherever_it_stands() -> None:
    redactor = Redactor(b"k", known=["joinme-please", ""])
    assert redactor.text("as joinme-please says") == f"as {redactor.pseudonym('joinme-please')} says"
    assert "joinme" not in redactor.text(json.dumps({"x": encoded("joinme-please")}))


def test_nesting_that_nobody_can_follow_is_hidden_as_a_whole() -> None:
    text = "[" * 5000 + '"secret"' + "]" * 5000
    assert REDACTOR.text(text).startswith(f'"{PREFIX}')


ENTRIES: list[Entry] = [
    CloudFrame(1, 5, Direction.TO_EDGE, 1, frame("default/secret/s1", SECRET)),
    Http(1, 5, Direction.TO_CLOUD, 1, f"GET / HTTP/1.1\r\nAuthorization: {CANARY}\r\n\r\n", PEM.encode()),
    ConnectionEvent(1, 5, Direction.TO_CLOUD, 1, "error", "", f"refused token={CANARY}"),
    Note(1, 5, f"password: {CANARY}", "t", json.dumps({"password": CANARY}), PEM),
    BusMessage(1, 5, "websocket", "metamanager", frame("default/secret/s1", SECRET)),
    MqttMessage(1, 5, MqttDirection.OUT, "external", "a/secret/b", json.dumps({"data": {"x": CANARY}}).encode()),
    Commit(
        1,
        5,
        (
            Write("INSERT", ("default/secret/s1", "secret", json.dumps({"data": {"pw": encoded(CANARY)}}))),
            Write("INSERT", ("1", json.dumps(SECRET).encode(), None, 5)),
        ),
    ),
    ProxiedRequest(1, 5, "c", "s", "http", head=f"GET /?token={CANARY} HTTP/1.1\r\nCookie: a={CANARY}\r\n\r\n"),
    Fault(1, 5, "cut", f"password={CANARY}"),
    Snapshot(1, 5, {"rows": [{"key": "default/secret/s1", "type": "secret", "value": SECRET}]}),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_no_kind_of_entry_keeps_its_secrets(entry: Entry) -> None:
    assert not holds(line_of(REDACTOR.entry(entry)).decode())


def test_the_head_says_that_secrets_were_replaced() -> None:
    told = REDACTOR.entry(SessionHead(1, 5, 2))
    assert isinstance(told, SessionHead)
    assert told.redacted


def test_the_place_of_an_entry_stays() -> None:
    told = REDACTOR.entry(msgspec.structs.replace(ENTRIES[0], n=7, causes=(3,)))
    assert (told.n, told.causes) == (7, (3,))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["password", "data", "kind"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_json_stays_json_of_the_same_shape(value: Any) -> None:
    def shape(one: Any) -> Any:
        if isinstance(one, dict):
            return [shape(each) for each in one.values()]
        return [shape(each) for each in one] if isinstance(one, list) else type(one)

    text = json.dumps({"kind": "Secret", "data": value}, ensure_ascii=False)
    assert shape(json.loads(REDACTOR.text(text))) == shape(json.loads(text))


@given(st.text() | st.sampled_from([entry.text for entry in ENTRIES if isinstance(entry, CloudFrame)]))
def test_what_was_redacted_stays_as_it_is(text: str) -> None:
    told = REDACTOR.text(f"password={text}")
    assert Redactor(b"another key").text(told) == told


@given(st.text())
def test_the_value_of_a_password_never_stays(value: str) -> None:
    told = json.loads(REDACTOR.text(json.dumps({"password": value})))["password"]
    assert (
        told.removeprefix("Bearer ").startswith(PREFIX)
        or not value
        or "bearer" in value.lower()
        or "basic" in value.lower()
    )
