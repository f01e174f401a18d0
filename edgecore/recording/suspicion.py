"""Whether a text may hold a secret at all: quick, and never wrong where it says no (pure).

Most texts that are recorded hold none, and to read one whole costs many times what this does. Each word that a secret
goes with is looked for, and what follows it is looked at: the end of a name, or of a path; not ``"secretName"``.
"""

import base64
import re
from collections.abc import Iterable

_GAP = r"(?:\s|\\+[nrt])*"
_END = rf"[-_. ]*(?:\\*[\"'](?!{_GAP}:{_GAP}(?:true|false|null)\b)(?P<object>{_GAP}:{_GAP}\{{)?|{_GAP}[:=])"
"""The end of a name, before what may be its value, or the end of a text that is a name. What is true, false or nothing
is no secret; of an object only what is called ``value`` is one."""
_VALUE = r"[^\"\\]*\\*\"(?!\s*:)"
_BEFORE_KEY = "|".join(rf"(?<={word})|(?<={word}[-_. ])" for word in ("api", "access", "secret", "private"))

_WORDS = {
    "secret": rf"secret(?:s?\\*/(?!kubernetes\.io/)|list|{_END})",
    "token": rf"token{_END}",
    "pass": rf"pass[-_. ]*(?:word|wd|phrase){_END}",
    "pwd": rf"pwd{_END}",
    "credential": rf"credentials?{_END}",
    "authorization": rf"authorization{_END}",
    "cookie": rf"cookie{_END}",
    "docker": rf"docker[-_. ]*c(?:onfig[-_. ]*json|fg){_END}",
    "key": rf"(?<=[iset_. -])(?:{_BEFORE_KEY})key{_END}",
    "private key-----": "",
    "bearer": r"bearer[\s\\]",
    "basic": r"basic[\s\\]",
    "eyj": r"eyj[\w-]{8,}\.[\w-]+\.",
    "opaque": "",
    "kubernetes.io/": rf"(?:(?<=\")|(?<=\"bootstrap\.))kubernetes\.io/{_VALUE}",
    "helm.sh/": rf"(?<=\")helm\.sh/{_VALUE}",
}
_FOLLOWED = tuple((word, re.compile(pattern).match) for word, pattern in _WORDS.items())
_USER = re.compile(r":(?:\\*/){2}[^/\s\"@:]*:[^/\s\"@]+@").search

_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}").fullmatch
_DIGITS = re.compile(rb'[A-Za-z0-9+/]{16,}={0,2}(?=\\*")').match
_SORT = {
    **dict.fromkeys(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", ord("b")),
    **dict.fromkeys(b",[ \t\r\n\\", ord(",")),
    **{each: each for each in b'":='},
}
_SORTS = bytes(_SORT.get(each, 0) for each in range(256))
_VALUE_BEGINS = b':"' + 16 * b"b"
_IS_TEXT = re.compile(b',"' + 16 * b"b" + b'b*=*,*"(?!,*:)').finditer
"""What may be base64, by ``_SORTS``: the value of a name; one of a list, or after a space, which is no name itself."""


def is_suspect(text: str, known: Iterable[str] = ()) -> bool:
    """Tell whether ``text`` may hold a secret; ``known`` ones are looked for in what is base64 only."""
    small = text.lower()
    for word, follows in _FOLLOWED:
        at = small.find(word)
        while at >= 0:
            found = follows(small, at)
            if found is not None and (found.lastgroup is None or small.find("value", found.end()) >= 0):
                return True
            at = small.find(word, at + 1)
    if "@" in small and _USER(small) is not None:
        return True
    return _BASE64(text) is not None or _hides(text, known)


def _hides(text: str, known: Iterable[str]) -> bool:
    """Tell whether one of the texts of a JSON document is the base64 of what is suspect."""
    data = text.encode(errors="surrogatepass")
    sorts = data.translate(_SORTS)
    at = sorts.find(_VALUE_BEGINS)
    while at >= 0:
        if _is_suspect_inside(data, at + 2, known):
            return True
        at = sorts.find(_VALUE_BEGINS, at + len(_VALUE_BEGINS))
    return any(_is_suspect_inside(data, found.start() + 2, known) for found in _IS_TEXT(sorts))


def _is_suspect_inside(data: bytes, begin: int, known: Iterable[str]) -> bool:
    digits = _DIGITS(data, begin)
    if digits is None or len(digits[0]) % 4:
        return False
    try:
        inner = base64.b64decode(digits[0], validate=True).decode()
    except ValueError:
        return False
    return any(one in inner for one in known) or is_suspect(inner, known)
