"""What commands can ask a running node about interception: ``edgecore intercept``."""

from typing import Any

from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.interceptor import Interceptor


def intercept_routes(interceptor: Interceptor | None) -> Routes:
    """Return the routes; ``None``: the node's mode is rootless, or it has no EdgeMesh.

    | route | answer |
    | --- | --- |
    | ``GET /v1/intercept`` | ``Interceptor.check``: it is looked at now |
    | ``GET /v1/intercept/plan`` | what it has done, and will do at its end: see ``plan`` |
    | ``POST /v1/intercept/apply`` | makes everything anew, also after ``remove``; then the status |
    | ``POST /v1/intercept/remove`` | takes rules and routes out until ``apply``; then the status |
    """

    def needed() -> Interceptor:
        if interceptor is None or interceptor.state == "off":
            raise ControlRefused(
                409, "cannot intercept: mode intercept is not in force in this node; see modules.edgeMesh.mode"
            )
        return interceptor

    async def show(_request: ControlRequest) -> dict[str, Any]:
        return await needed().check()

    async def show_plan(_request: ControlRequest) -> dict[str, Any]:
        told = needed().plan()
        if told is None:
            raise ControlRefused(409, "cannot show a plan: rules are taken out now; edgecore intercept apply")
        return told

    async def apply(_request: ControlRequest) -> dict[str, Any]:
        found = needed()
        try:
            await found.apply()
        except InterceptError as error:
            raise ControlRefused(409, str(error)) from None
        return found.status()

    async def remove(_request: ControlRequest) -> dict[str, Any]:
        found = needed()
        try:
            await found.remove()
        except InterceptError as error:
            raise ControlRefused(409, str(error)) from None
        return found.status()

    return {
        ("GET", "/v1/intercept"): show,
        ("GET", "/v1/intercept/plan"): show_plan,
        ("POST", "/v1/intercept/apply"): apply,
        ("POST", "/v1/intercept/remove"): remove,
    }
