"""What commands can ask of a running stub about its faults."""

from typing import Any

import msgspec

from cloudhub_stub.errors import FaultRefused
from cloudhub_stub.faults.injector import Injector
from cloudhub_stub.faults.spec import FaultSpec, check
from cloudhub_stub.paths import FAULTS
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import EdgecoreError


def fault_routes(injector: Injector) -> Routes:
    """Return the routes.

    | route | answer |
    | --- | --- |
    | ``GET /v1/faults`` | rules, steps, counts, what fired last (``Injector.view``) |
    | ``POST /v1/faults`` with ``FaultSpec`` | the rule; 409 where there is nothing to hit |
    | ``DELETE /v1/faults?id=ID`` or ``?all=true`` | ``{"cleared": N}`` |
    """

    async def show(_request: ControlRequest) -> dict[str, Any]:
        return injector.view()

    async def add(request: ControlRequest) -> dict[str, Any]:
        try:
            spec = msgspec.convert(request.body, FaultSpec)
        except msgspec.ValidationError as error:
            raise ControlRefused(400, f"cannot read the fault: {error}") from error
        for wrong in check(spec):
            raise ControlRefused(400, f"cannot do {spec.fault}: {wrong.field}: {wrong.text}")
        try:
            return injector.inject(spec)
        except EdgecoreError as error:
            raise ControlRefused(409, str(error)) from error

    async def clear(request: ControlRequest) -> dict[str, int]:
        rule_id = request.query.get("id")
        if (rule_id is None) == (request.query.get("all") != "true"):
            raise ControlRefused(400, "cannot clear: say which fault (id=ID) or all of them (all=true)")
        try:
            return {"cleared": injector.clear(rule_id)}
        except FaultRefused as error:
            raise ControlRefused(404, str(error)) from error

    return {("GET", FAULTS): show, ("POST", FAULTS): add, ("DELETE", FAULTS): clear}
