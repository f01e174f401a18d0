"""The schema of a ConfigMap and of a Secret; errors do not repeat what stands in them.

Source: kubernetes pkg/apis/core/validation/validation.go@v1.17.0.
"""

import binascii
from base64 import b64decode
from typing import Any

from cloudhub_stub.cluster.names import data_key_fault
from cloudhub_stub.cluster.schemas.metadata import top
from cloudhub_stub.cluster.schemas.shapes import Check, MapOf, below, boolean, text
from cloudhub_stub.errors import Invalid

MAX_BYTES = 1024 * 1024


def _plain(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise Invalid(path, "it is not text; put it in quotes")


def _base64(value: Any, path: str) -> None:
    _plain(value, path)
    try:
        b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        hint = " (plain text goes into stringData of a Secret, or data of a ConfigMap)"
        raise Invalid(path, f"it is not base64{hint}") from None


def _fits(*names: str) -> Check:
    def check(obj: Any, path: str) -> None:
        size = sum(len(value.encode()) for name in names for value in (obj.get(name) or {}).values())
        if size > MAX_BYTES:
            raise Invalid(below(path, names[0]), f"it has {size} bytes, at most {MAX_BYTES} fit")

    return check


def _one_place_for_a_key(config_map: Any, path: str) -> None:
    both = (config_map.get("data") or {}).keys() & (config_map.get("binaryData") or {}).keys()
    if both:
        raise Invalid(below(path, "binaryData"), f"the key {min(both)!r} stands in data too")


_TEXTS = MapOf(_plain, data_key_fault)
_BYTES = MapOf(_base64, data_key_fault)

CONFIG_MAP: Check = top(
    {"data": _TEXTS, "binaryData": _BYTES, "immutable": boolean},
    rules=(_fits("data", "binaryData"), _one_place_for_a_key),
)
SECRET: Check = top(
    {"data": _BYTES, "stringData": _TEXTS, "type": text, "immutable": boolean}, rules=(_fits("data", "stringData"),)
)
