"""The paths of the control socket, for those who serve them (``routes.py``) and those who ask (``cli/``)."""

STATUS = "/v1/status"
TOKEN = "/v1/token"  # noqa: S105 - a path
NODES = "/v1/nodes"
REPLAY = "/v1/replay"
FAULTS = "/v1/faults"
MESSAGES = "/v1/messages"
LEDGER = "/v1/ledger"
JOURNAL = "/v1/journal"
