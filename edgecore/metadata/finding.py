"""What is wrong with a database: how much it matters, where, what it is, and what to do."""

from typing import NamedTuple

from edgecore.metadata.row import Json

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
"""Something does not work; something is left over or missing; worth knowing."""

DELETE_ROW = "stop the node, delete the row, start the node: the cloud sends what is missing"
LEFT_OVER = "nothing uses it; to be rid of it, stop the node and delete the row"


class Finding(NamedTuple):
    """One thing."""

    severity: str
    code: str
    """A fixed snake_case word."""
    key: str
    """The row that is meant; empty where it is the table as a whole."""
    text: str
    advice: str

    def document(self) -> Json:
        """Return it as a JSON value."""
        return self._asdict()


def in_order(finding: Finding) -> tuple[int, str, str]:
    """Return what findings are sorted by: what matters most comes first."""
    return SEVERITIES.index(finding.severity), finding.code, finding.key
