"""The page of all series that the programs expose."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from tools.reference.sources import Source, Sources, Unknown

_LIBRARY = "prometheus_client"
_KINDS = ("Counter", "Gauge", "Histogram", "Summary")
_UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_ratio": "0 to 1", "_timestamp": "Unix time"}

_HEAD = """\
# Metrics

Every series of both programs, in the text format of Prometheus: `curl http://ADDRESS/metrics`, where ADDRESS is
`observe.listen` of the node (`edgecore status` names it) or `--observe` of `cloudhub-stub run`. A series appears
when the part of the program that it is of runs, and has something to say. A histogram has `_bucket`, `_sum` and
`_count`. (Written by `make reference`.)
"""


class Series(NamedTuple):
    """One family."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    path: str

    @property
    def unit(self) -> str:
        """Of its value; what is counted otherwise, the help says."""
        plain = self.name.removesuffix("_total")
        return next((unit for ending, unit in _UNITS.items() if plain.endswith(ending)), "")


def metrics_page(sources: Sources) -> str:
    """Return the page."""
    found = sorted({series for file in sources.files for series in series_of(file)})
    lines = [_HEAD]
    for title, is_ours in (("The node", "edgecore/"), ("The stub", "cloudhub_stub/")):
        lines += [f"## {title}", "", "| series | type | labels | unit | meaning |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(one) for one in found if one.path.startswith(is_ours)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def series_of(file: Source) -> Iterator[Series]:
    """Yield the families that a file makes. Raises ``Unknown`` where only a running program knows name or help."""
    for call in file.calls():
        if not (isinstance(call.func, ast.Name) and file.imported.get(call.func.id, "").startswith(_LIBRARY)):
            continue
        kind = next((kind for kind in _KINDS if call.func.id in (kind, f"{kind}MetricFamily")), None)
        if kind is None or len(call.args) < 2:
            continue
        labels = _labels(call)
        told = [*file.values(call.args[0], call.args[1], labels)]
        if not told:
            raise Unknown(f"{file.path}:{call.lineno}: {ast.unparse(call)}")
        for name, text, names in told:
            ending = "_total" if kind == "Counter" and not name.endswith("_total") else ""
            yield Series(name + ending, kind.lower(), names, " ".join(text.split()), file.path)


def _labels(call: ast.Call) -> ast.expr:
    for keyword in call.keywords:
        if keyword.arg in ("labels", "labelnames"):
            return keyword.value
    third = call.args[2] if len(call.args) > 2 else None
    return third if isinstance(third, ast.Tuple | ast.List) else ast.Tuple(elts=[], ctx=ast.Load())


def _row(series: Series) -> str:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    told = series.help.replace("|", "\\|")
    return f"| `{series.name}` | {series.kind} | {labels} | {series.unit} | {told} |"
