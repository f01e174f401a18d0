"""JSON values as documents: JSON and YAML, in the form that ``kubectl get -o`` gives them."""

import json
import re
from typing import Any

import yaml

_Fast: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Written in C where PyYAML was built with it: eight times as fast for thousands of objects."""
_NUMBERS_ELSEWHERE = re.compile(r"[-+]?(0[oO][0-7_]+|\.?[0-9][0-9_.]*([eE][-+]?[0-9]+)?)|[yYnN]")
"""Texts that YAML readers other than PyYAML take for numbers and booleans."""
_OTHER_LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")
"""What YAML takes for the end of a line besides the newline."""
_NO_LINE_BREAKS = 1 << 20
_TEXT = "tag:yaml.org,2002:str"


def as_json(value: Any) -> str:
    """Return a document of JSON as kubectl indents it, with the newline at its end."""
    return json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def as_yaml(value: Any) -> str:
    """Return a document of YAML as kubectl writes it: keys in order, texts of several lines as blocks, none broken.

    Whatever reads YAML gets the same values back: texts that look like something else are quoted.
    """
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=_NO_LINE_BREAKS, sort_keys=True
    )
    return text


def as_asked(value: Any, output: str) -> str:
    """Return what ``-o json`` or ``-o yaml`` asks for; nothing for any other word: then people want a text."""
    form = {"json": as_json, "yaml": as_yaml}.get(output)
    return form(value) if form is not None else ""


class _Dumper(_Fast):  # type: ignore[misc] # the class is chosen at run time
    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out each time: manifests have no anchors."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    if _OTHER_LINE_ENDS.search(text):
        return dumper.represent_scalar(_TEXT, text, style='"')
    if "\n" in text:
        return dumper.represent_scalar(_TEXT, text, style="|")
    is_text = dumper.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT
    looks_otherwise = not is_text or _NUMBERS_ELSEWHERE.fullmatch(text)
    return dumper.represent_scalar(_TEXT, text, style='"' if looks_otherwise else None)


_Dumper.add_representer(str, _represent_text)
