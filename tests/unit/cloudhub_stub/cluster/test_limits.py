"""How much the cluster takes."""

from typing import Any

import pytest

from cloudhub_stub.cluster import api as api_module
from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.limits import MAX_OBJECT_BYTES, check_size
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.cluster.writes import Create
from cloudhub_stub.errors import ApiError, Invalid
from cluster.objects import config
from edgecore.clock import VirtualClock
from edgecore.ids import NewId


@pytest.fixture
def api(vclock: VirtualClock, ids: NewId) -> Api:
    return Api(Registry(), vclock, ids)


def manifest(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_an_object_that_is_too_large_is_refused() -> None:
    check_size(config("c", k="x" * 1000))
    with pytest.raises(Invalid, match=f"must have at most {MAX_OBJECT_BYTES}"):
        check_size(config("c", k="x" * MAX_OBJECT_BYTES))


def test_a_full_cluster_takes_changes_and_nothing_new(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "MAX_OBJECTS", 1)
    api.apply(manifest("first", k="1"))
    assert api.apply(manifest("first", k="2")).outcome == "configured"
    with pytest.raises(ApiError, match="the cluster holds 1 objects, its limit"):
        api.apply(manifest("second"))
    assert not api.write(Create(config("third")))
