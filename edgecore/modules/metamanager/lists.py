"""The elements of a list of the cloud, each a row of its own (pure)."""

from typing import NamedTuple

import msgspec

from edgecore.beehive import resource as r
from edgecore.errors import ContentError

LIST_TYPES = {r.SERVICELIST: r.SERVICE, r.ENDPOINTSLIST: r.ENDPOINTS}
"""Lists that become one row an element, with the type of those rows."""


class NotAList(ContentError):  # noqa: N818 - said of a content, as the states in errors.py
    """What should be a list is none."""


class Elements(NamedTuple):
    """The elements that name an object, in their order, and what is wrong with the others."""

    named: list[tuple[str, str]]
    """The key of the row, and the JSON text."""
    wrong: str
    """Empty if nothing is. However many elements name no object, it is one line: the sender of one message shall not
    fill the log.
    """


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata


def elements(list_type: str, text: bytes) -> Elements:
    """Take apart the JSON ``text`` of a list of ``LIST_TYPES``; ``null`` is an empty one. Raises ``NotAList``."""
    try:
        found = msgspec.json.decode(text, type=list[msgspec.Raw] | None) or ()
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAList(f"{list_type} is not a list: {error}") from error
    named: list[tuple[str, str]] = []
    wrong: list[int] = []
    for index, element in enumerate(found):
        metadata = _metadata(element)
        if metadata.name and metadata.namespace:
            key = f"{metadata.namespace}/{LIST_TYPES[list_type]}/{metadata.name}"
            named.append((key, bytes(element).decode()))
        else:
            wrong.append(index)
    if not wrong:
        return Elements(named, "")
    what = f"{len(wrong)} of {len(found)} have no name and namespace, the first is {list_type}[{wrong[0]}]"
    return Elements(named, what)


def _metadata(element: msgspec.Raw) -> _Metadata:
    """Return the metadata of an object; empty where there is none that can be read."""
    try:
        return msgspec.json.decode(element, type=_Named).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Metadata()
