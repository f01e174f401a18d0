"""Other IP addresses in the text of a message: whole addresses only, and every byte around them as it was."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Self

import msgspec

from cloudhub_stub.errors import ReplayError

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
"""One JSON string literal, its quotes included."""


class AddressMap:
    """Which address stands in place of which. All are replaced at once, so that two can be swapped."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        """Raises ``ReplayError`` where one of ``pairs`` is not an IP address."""
        self.pairs = {_address(old): _address(new) for old, new in pairs.items()}
        self._pattern = re.compile("|".join(_whole(old) for old in self.pairs))

    @classmethod
    def parse(cls, texts: list[str]) -> Self:
        """Return the map of ``OLD=NEW`` texts. Raises ``ReplayError`` for anything else and for an OLD given twice."""
        pairs: dict[str, str] = {}
        for text in texts:
            old, equals, new = text.partition("=")
            if not equals:
                raise ReplayError(f"cannot read map {text!r}: expected OLD=NEW, such as 10.66.0.2=127.0.0.2")
            if pairs.setdefault(old, new) != new:
                raise ReplayError(f"cannot read map {text!r}: {old} is mapped to {pairs[old]} already")
        return cls(pairs)

    def apply(self, text: str) -> str:
        """Return ``text``, a JSON document, with each mapped address replaced inside its strings.

        An address counts where it stands for itself: at the ends of a string, beside ``/``, ``:port``, brackets or
        blanks, but not as a part of a longer number or name (``10.66.0.2`` is not in ``10.66.0.21``).
        """
        if not self.pairs or not any(old in text for old in self.pairs):
            return text
        return _STRING.sub(self._replace_in_literal, text)

    def _replace_in_literal(self, match: re.Match[str]) -> str:
        literal = match.group()
        if not any(old in literal for old in self.pairs):
            return literal
        try:
            value = msgspec.json.decode(literal, type=str)
        except msgspec.DecodeError:
            return literal  # not JSON: whoever decodes the whole text will say so
        changed = self._pattern.sub(lambda found: self.pairs[found.group()], value)
        return literal if changed == value else msgspec.json.encode(changed).decode()


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise ReplayError(f"cannot map address {text!r}: it is no IP address") from error
    return text


def _whole(address: str) -> str:
    """Return the pattern of ``address`` where no character beside it could belong to the same word.

    A dot beside it may end a sentence, but not join it to a name or number; a colon joins IPv6 groups only.
    """
    joined = r"[\w:-]" if ":" in address else r"[\w-]"
    return rf"(?<!{joined})(?<!\w\.){re.escape(address)}(?!{joined})(?!\.\w)"
