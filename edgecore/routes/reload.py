"""What commands can have a running node do with its configuration: ``edgecore reload``."""

from typing import Any

from edgecore.control.routes import ControlRequest, Routes
from edgecore.reloading import Reloader


def reload_routes(reloader: Reloader) -> Routes:
    """Return the routes.

    | route | answer |
    | --- | --- |
    | ``POST /v1/reload`` | ``Reloader.reload``: the file is read again, as on SIGHUP |
    """

    async def reload(_request: ControlRequest) -> dict[str, Any]:
        return await reloader.reload()

    return {("POST", "/v1/reload"): reload}
