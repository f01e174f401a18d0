"""Which messages of the bus somebody wants to see: by receiver, sender, operation, resource and id (pure)."""

import shlex
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from edgecore.beehive.message import Message
from edgecore.errors import ContentError

WORDS = {"to": "receiver", "from": "sender", "op": "operation", "resource": "resource", "id": "message_id"}
"""What people write, and the field that it stands for."""
_WILD = frozenset("*?[")


class PassageFilter(NamedTuple):
    """Each of the fields is a pattern (``*``, ``?``, ``[ab]``); an empty one takes everything.

    Modules and operations are compared without regard to case; of an id the beginning or the end is enough.
    """

    receiver: str = ""
    sender: str = ""
    operation: str = ""
    resource: str = ""
    message_id: str = ""

    def takes(self, sender: str, receiver: str, message: Message) -> bool:
        """Whether a message on its way from one module to another is one of those that are wanted."""
        route = message.route
        return (
            (not self.receiver or fnmatchcase(receiver.casefold(), self.receiver.casefold()))
            and (not self.sender or fnmatchcase(sender.casefold(), self.sender.casefold()))
            and (not self.operation or fnmatchcase(route.operation.casefold(), self.operation.casefold()))
            and (not self.resource or fnmatchcase(route.resource, self.resource))
            and (not self.message_id or is_called(message.header.id, self.message_id))
        )

    def words(self) -> dict[str, str]:
        """Return what was asked for, in the words of people."""
        told = ((word, getattr(self, field)) for word, field in WORDS.items())
        return {word: value for word, value in told if value}

    def check(self, modules: Iterable[str]) -> None:
        """Raise ``ContentError`` where a module is named that is none of ``modules``."""
        known = sorted(modules)
        for word, name in (("to", self.receiver), ("from", self.sender)):
            if name and not _WILD & set(name) and name.casefold() not in map(str.casefold, known):
                raise ContentError(
                    f"cannot look for {word}={name}: there is no such module; there are {', '.join(known)}"
                )


def is_called(message_id: str, text: str) -> bool:
    """Whether ``text`` is an id, its beginning or its end: ids of one program often begin alike (``ids.py``)."""
    return message_id.startswith(text) or message_id.endswith(text)


def filter_of(words: Mapping[str, str]) -> PassageFilter:
    """Return the filter that ``words`` (``WORDS``) ask for; other words are left alone."""
    return PassageFilter(**{field: words[word] for word, field in WORDS.items() if words.get(word)})


def parse_conditions(text: str) -> PassageFilter:
    """Return the filter of a line such as ``to=edgemesh op=delete``. Raises ``ContentError``."""
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise ContentError(f"cannot understand the condition {text!r}: {error}") from None
    words: dict[str, str] = {}
    for part in parts:
        word, is_given, value = part.partition("=")
        if word not in WORDS or not is_given or not value:
            known = ", ".join(f"{known}=" for known in WORDS)
            raise ContentError(f"cannot understand the condition {part!r}; conditions are {known} with a pattern each")
        if word in words:
            raise ContentError(f"cannot understand the condition {part!r}: {word}= stands there twice")
        words[word] = value
    return filter_of(words)
