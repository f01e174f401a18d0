"""Secrets in what is recorded or mirrored become pseudonyms: equal ones equal ones, base64 stays base64 (pure).

What counts as a secret:

* the ``data`` and ``stringData`` of a Secret, told by its kind, its type, or the resource or row that it stands in;
* what stands under a name such as ``password`` or ``Authorization``: in JSON, in a head of HTTP, in ``name=value``;
* private keys in PEM, tokens in three parts (JWT), ``Bearer`` and ``Basic``, passwords in URLs;
* all of that inside texts that are JSON or base64 again.

The rest of a text stays as it is, to the byte.
"""

import base64
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Any

import msgspec

from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Entry,
    Fault,
    Http,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
    Write,
)
from edgecore.recording.suspicion import is_suspect

KNOWN_LENGTH = 8
"""A known secret that is shorter is not looked for: it would be part of too much that is none."""

PREFIX = "redacted-"
"""How every pseudonym begins; sixteen hexadecimal digits follow."""

_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "dockerconfigjson",
    "dockercfg",
)
"""The ends of names whose values are secrets, without ``-``, ``_`` and ``.``, in small letters."""

_NAME = (
    r"[\w.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)"
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)(.*?)(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_HEAD_LINE = re.compile(
    r"^([\w-]*(?:authorization|cookie|api-key|auth-token|access-token|secret|password):[ \t]*)"
    r"((?:bearer|basic|token|digest)[ \t]+)?([^\r\n]+)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE = re.compile(rf"^([ \t-]*[\"']?{_NAME}[\"']?[ \t]*:[ \t]+[\"']?)([^\r\n\"']+)", re.IGNORECASE | re.MULTILINE)
_PAIR = re.compile(rf"(\b{_NAME}=[\"']?)([^\s\"'&;,]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(\b(?:bearer|basic)[ \t]+)([\w.~+/=-]{8,})", re.IGNORECASE)
_JWT = re.compile(r"(?:\b[0-9a-f]{32,}\.)?\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_USER = re.compile(r"(://[^/\s\"@:]*:)([^/\s\"@]+)(?=@)")
_PSEUDONYM = re.compile(PREFIX + r"[0-9a-f]{16}")

_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[^\s,\]}]*|true|false|null|NaN|-?Infinity', re.DOTALL)
_SECRET_PATH = re.compile(r"(?:^|/)secrets?/")
_SECRET_TYPES = ("Opaque", "kubernetes.io/", "bootstrap.kubernetes.io/", "helm.sh/")
_DATA = ("data", "stringData", "binaryData")
_SEPARATORS = str.maketrans("", "", "-_. ")


class _Place(Enum):
    OPEN = auto()
    SECRET = auto()
    """In a Secret: its data is hidden."""
    DATA = auto()
    """All is hidden, and is base64."""
    TEXTS = auto()
    """All is hidden."""
    NAMED = auto()
    """Under the name of a secret: hidden, but of an object only what is called ``value``."""


_HIDDEN = (_Place.DATA, _Place.TEXTS, _Place.NAMED)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, the order and the repetition of its names kept."""


class _Number(str):
    """A number of JSON as it is written."""


_decode = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
).decode


class Redactor:
    """Replaces secrets under ``key``, which is to be kept nowhere: who has it can try which secret a pseudonym is.

    ``known`` are secrets of this node, such as its token: they are replaced wherever they stand.
    """

    def __init__(self, key: bytes, known: Iterable[str] = ()) -> None:
        self._key = key
        self._known = {one: self.pseudonym(one) for one in known if len(one) >= KNOWN_LENGTH}

    def pseudonym(self, secret: str) -> str:
        """Return what stands for ``secret``; what is a pseudonym already stays."""
        return self._pseudonym(_bytes(secret)) if secret and not _PSEUDONYM.fullmatch(secret) else secret

    def _pseudonym(self, secret: bytes) -> str:
        return PREFIX + hmac.digest(self._key, secret, "sha256").hex()[:16]

    def text(self, text: str, *, secret: bool = False) -> str:
        """Return ``text`` without secrets; ``secret``: an object in it is a Secret, whatever it says of itself."""
        for known, pseudonym in self._known.items():
            if known in text:
                text = text.replace(known, pseudonym)
        if not secret and not is_suspect(text, self._known):
            return text
        return self._text(text, _Place.SECRET if secret else _Place.OPEN)

    def payload(self, payload: bytes, *, secret: bool = False) -> bytes:
        """Return bytes without secrets; those that are no text stay as they are."""
        try:
            return self.text(payload.decode(), secret=secret).encode()
        except UnicodeError:
            return payload

    def entry(self, entry: Entry) -> Entry:
        """Return ``entry`` without secrets; the head of a session says from then on that they were replaced."""
        redact = _OF_KINDS.get(type(entry))
        return entry if redact is None else redact(self, entry)

    def write(self, write: Write) -> Write:
        """Return one statement without secrets; the two parameters before one tell of which row it is."""
        params = tuple(self._param(one, write.params[max(0, at - 2) : at]) for at, one in enumerate(write.params))
        return Write(write.sql, params)

    def _param(self, param: Any, before: Iterable[Any]) -> Any:
        secret = any(isinstance(one, str) and (one == "secret" or _SECRET_PATH.search(one)) for one in before)
        match param:
            case str():
                return self.text(param, secret=secret)
            case bytes():
                return self.payload(param, secret=secret)
        return param

    # One text.

    def _text(self, text: str, place: _Place) -> str:
        begin = text.lstrip()[:1]
        if begin in ("{", "[", '"'):
            try:
                return self._document(text, place)
            except RecursionError:
                return json.dumps(self.pseudonym(text))
            except ValueError:
                pass  # no JSON after all
        return self._plain(text, place)

    def _document(self, text: str, place: _Place) -> str:
        changes = list(self._changes(_decode(text), place))
        if not any(change is not None for change in changes):
            return text
        following = iter(changes)

        def replaced(token: re.Match[str]) -> str:
            change = next(following)
            return token[0] if change is None else change

        return _TOKEN.sub(replaced, text)

    def _changes(self, value: Any, place: _Place) -> Iterator[str | None]:
        """Yield for every name and every scalar, in their order, the JSON that replaces it."""
        match value:
            case _Pairs():
                yield from self._changes_of_object(value, place)
            case list():
                for one in value:
                    yield from self._changes(one, place)
            case _Number():
                yield self._digits(value) if place in _HIDDEN else None
            case str():
                told = self._string(value, place)
                yield None if told == value else json.dumps(told, ensure_ascii=False)
            case _:
                yield None

    def _changes_of_object(self, pairs: _Pairs, place: _Place) -> Iterator[str | None]:
        if place is _Place.OPEN and _is_secret(pairs):
            place = _Place.SECRET
        value_is_secret = place is _Place.NAMED or any(
            name == "name" and isinstance(value, str) and _is_named(value) for name, value in pairs
        )
        for name, value in pairs:
            told = self._string(name, _Place.OPEN)
            yield None if told == name else json.dumps(told, ensure_ascii=False)
            yield from self._changes(value, _place_of(name, value, place, value_is_secret))

    def _string(self, text: str, place: _Place) -> str:
        match place:
            case _Place.OPEN:
                return self.text(text)
            case _Place.SECRET:
                return self._text(text, place)
            case _Place.DATA:
                return self._base64(text) or self.pseudonym(text)
            case _Place.TEXTS:
                return self.pseudonym(text)
        scheme = re.match(r"(?i)(?:bearer|basic)\s+", text)
        begin = scheme[0] if scheme else ""
        return begin + self.pseudonym(text[len(begin) :])

    def _base64(self, text: str) -> str:
        """Return the pseudonym of what ``text`` is the base64 of, as base64; nothing where it is none."""
        decoded = _decoded(text)
        if decoded is None or _PSEUDONYM.fullmatch(decoded.decode(errors="replace")):
            return "" if decoded is None else text
        return _encoded(self._pseudonym(decoded))

    def _digits(self, number: str) -> str:
        digest = int(self.pseudonym(number)[len(PREFIX) :], 16)
        return str(10 ** (len(number) - 1) + digest % (9 * 10 ** (len(number) - 1))) if len(number) > 1 else "0"

    def _plain(self, text: str, place: _Place) -> str:
        if _BASE64.fullmatch(text):
            decoded = _decoded(text)
            told = decoded if decoded is None else self.payload(decoded, secret=place is _Place.SECRET)
            return text if told is None or told == decoded else _encoded(told.decode())
        text = _PRIVATE_KEY.sub(lambda found: f"{found[1]}\n{self.pseudonym(found[2].strip())}\n{found[3]}", text)
        text = _HEAD_LINE.sub(lambda found: found[1] + (found[2] or "") + self.pseudonym(found[3].strip()), text)
        text = _LINE.sub(self._second, text)
        text = _PAIR.sub(self._second, text)
        text = _SCHEME.sub(self._second, text)
        text = _USER.sub(self._second, text)
        return _JWT.sub(lambda found: self.pseudonym(found[0]), text)

    def _second(self, found: re.Match[str]) -> str:
        return found[1] + self.pseudonym(found[2])


# What counts as a secret.


def _is_named(name: str) -> bool:
    return name.lower().translate(_SEPARATORS).endswith(_NAMES)


def _is_secret(pairs: _Pairs) -> bool:
    """Tell whether an object is a Secret, a list of them, or a message or row about one."""
    fields = dict(pairs)
    kind = fields.get("type")
    if fields.get("kind") in ("Secret", "SecretList") or kind == "secret":
        return True
    if isinstance(kind, str) and kind.startswith(_SECRET_TYPES) and any(name in fields for name in _DATA):
        return True
    inner = {**_fields(fields, "route"), **_fields(fields, "metadata")}
    paths = (fields.get("key"), fields.get("resource"), inner.get("resource"), inner.get("selfLink"))
    return any(isinstance(path, str) and _SECRET_PATH.search(path) for path in paths)


def _place_of(name: str, value: Any, place: _Place, value_is_secret: bool) -> _Place:
    """Return where the value of ``name`` stands, in an object that stands in ``place``."""
    if place in (_Place.DATA, _Place.TEXTS):
        return place
    if place is _Place.SECRET and name in _DATA:
        return _Place.TEXTS if name == "stringData" else _Place.DATA
    if _is_named(name) or (value_is_secret and name == "value"):
        return _Place.NAMED
    return _Place.OPEN if place is _Place.NAMED and not isinstance(value, _Pairs) else place


def _fields(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return dict(value) if isinstance(value, _Pairs) else {}


def _decoded(text: str) -> bytes | None:
    """Return that of which ``text`` is the base64."""
    try:
        return base64.b64decode(text, validate=True) or None
    except ValueError:
        return None


def _encoded(text: str) -> str:
    return base64.b64encode(_bytes(text)).decode()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


# Entries.


def _texts(*names: str) -> Callable[[Redactor, Any], Entry]:
    def redacted(redactor: Redactor, entry: Any) -> Entry:
        told = {name: redactor.text(getattr(entry, name)) for name in names}
        changed = {name: text for name, text in told.items() if text is not getattr(entry, name)}
        replaced: Entry = msgspec.structs.replace(entry, **changed) if changed else entry
        return replaced

    return redacted


def _http(redactor: Redactor, entry: Http) -> Entry:
    return msgspec.structs.replace(entry, head=redactor.text(entry.head), body=redactor.payload(entry.body))


def _mqtt(redactor: Redactor, entry: MqttMessage) -> Entry:
    secret = _SECRET_PATH.search(entry.topic) is not None
    return msgspec.structs.replace(
        entry, topic=redactor.text(entry.topic), payload=redactor.payload(entry.payload, secret=secret)
    )


def _commit(redactor: Redactor, entry: Commit) -> Entry:
    return msgspec.structs.replace(entry, writes=tuple(map(redactor.write, entry.writes)))


def _snapshot(redactor: Redactor, entry: Snapshot) -> Entry:
    """Look at each row, service, and so on by itself: hardly any holds a secret, and a node has very many."""

    def told(value: Any) -> Any:
        text = json.dumps(value)
        redacted = redactor.text(text)
        return value if redacted == text else json.loads(redacted)

    state = {
        part: [told(one) for one in value] if isinstance(value, list) else told(value)
        for part, value in entry.state.items()
    }
    return msgspec.structs.replace(entry, state=state)


_OF_KINDS: dict[type, Callable[[Redactor, Any], Entry]] = {
    SessionHead: lambda _redactor, entry: msgspec.structs.replace(entry, redacted=True),
    CloudFrame: _texts("text"),
    Http: _http,
    ConnectionEvent: _texts("detail"),
    Note: _texts("text", "topic", "payload", "out"),
    BusMessage: _texts("text"),
    MqttMessage: _mqtt,
    Commit: _commit,
    ProxiedRequest: _texts("head", "reason"),
    Fault: _texts("fault", "detail"),
    Snapshot: _snapshot,
}
