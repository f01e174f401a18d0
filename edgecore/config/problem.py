"""What is wrong with a configuration, and how it is told: one line a setting, all of them in one error."""

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from edgecore.errors import ConfigError

_LONGEST = 80
_LOGIN = re.compile(r"//[^/\s]*@")


class Problem(NamedTuple):
    """A setting that is wrong, or (in ``LoadedConfig.warnings``) worth a word."""

    path: str
    """Dotted, as in ``modules.edgeHub.heartbeat``; empty for the file as a whole."""
    text: str
    line: int | None = None
    """Line in the file, from 1; None if the file does not say it."""

    def __str__(self) -> str:
        where = f" (line {self.line})" if self.line is not None else ""
        return f"{self.path or 'the file'}{where}: {self.text}"


def shown(value: object) -> str:
    """Write a value as an error shows it: as in JSON, without the login of an address, and cut where it is long."""
    text = _LOGIN.sub("//***@", json.dumps(value, default=list))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def all_in_one(origin: str, problems: Iterable[Problem]) -> ConfigError:
    """Make one error of ``problems``, in the order of the file; what the file does not say comes last."""
    ordered = sorted(problems, key=lambda problem: (problem.line is None, problem.line or 0, problem.path))
    count = f"{len(ordered)} settings are wrong" if len(ordered) > 1 else "a setting is wrong"
    return ConfigError("\n  ".join([f"cannot use {origin}: {count}", *map(str, ordered)]))
