"""Objects as lists and names, in the form that ``kubectl get -o`` gives them."""

from collections.abc import Sequence

from cloudhub_stub.cluster.kinds import KINDS, Object


def as_list(objects: Sequence[Object]) -> Object:
    """Return several objects as one."""
    metadata = {"resourceVersion": "", "selfLink": ""}
    return {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": metadata}


def long_name(kind: str, name: str) -> str:
    """Return an object's name as commands say and take it: ``pod/web``, ``deployment.apps/web``."""
    return f"{KINDS[kind].long_name if kind in KINDS else kind.lower()}/{name}"
