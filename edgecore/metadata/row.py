"""One row of ``meta``: what it says, and by which message it came to be so."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from edgecore.beehive.resource import SECRET, EdgeResource, parse_edge
from edgecore.modules.metamanager.tables import Origin

Json = dict[str, Any]


class NoJson(NamedTuple):
    """Why a value cannot be read."""

    reason: str


class MetaRow(NamedTuple):
    """One row."""

    key: str
    type: str
    value: bytes | None
    """JSON text, as it is stored; ``None`` where the column is null, or where it is not to be seen here."""
    size: int
    """Bytes of the value, seen or not."""
    origin: Origin | None = None
    """``None``: another program wrote it, and nobody knows when."""
    hidden: bool = False
    """The value is a secret that nobody asked to see."""

    @property
    def place(self) -> EdgeResource:
        """Namespace, type and name of the key; a key of another form is all name."""
        return parse_edge(self.key) or EdgeResource("", self.type, self.key)

    @property
    def is_secret(self) -> bool:
        """Whether the value is nobody's business, by the type of the row or that of the key."""
        return SECRET in (self.type.lower(), self.place.type.lower())


def hide(row: MetaRow) -> MetaRow:
    """Return ``row``, without its value if that is a secret."""
    return row._replace(value=None, hidden=True) if row.is_secret else row


def parsed(row: MetaRow) -> Any:
    """Return the JSON value, or ``NoJson`` where there is none."""
    if row.value is None:
        return NoJson("it is hidden" if row.hidden else "the column is null")
    return parsed_text(row.value)


def parsed_text(text: bytes) -> Any:
    """Return the JSON value of ``text``, or ``NoJson``."""
    try:
        text.decode()
        return msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        return NoJson(f"it is not UTF-8 from byte {error.start} on")
    except (msgspec.DecodeError, UnicodeError) as error:
        return NoJson(str(error))
    except RecursionError:
        return NoJson("it is nested too deeply")


def hidden_text(row: MetaRow) -> str:
    """Return what stands for the value of a hidden row."""
    return f"<hidden: {row.size} bytes>"


def row_document(row: MetaRow, *, with_value: bool = True) -> Json:
    """Return ``row`` as a JSON value, with the stored text of its value."""
    document: Json = {"key": row.key, "type": row.type, "size": row.size}
    if row.hidden:
        document["hidden"] = True
    elif with_value and row.value is not None:
        document["value"] = row.value.decode(errors="replace")
    document["origin"] = None if row.origin is None else row.origin._asdict()
    return document


def row_of_document(document: Mapping[str, Any]) -> MetaRow:
    """Return the row of ``row_document``. Raises ``KeyError`` or ``TypeError`` where it is none."""
    value, origin = document.get("value"), document["origin"]
    return MetaRow(
        document["key"],
        document["type"],
        None if value is None else value.encode(errors="replace"),
        document["size"],
        None if origin is None else Origin(**origin),
        document.get("hidden", False),
    )
