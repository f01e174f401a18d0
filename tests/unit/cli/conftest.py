"""The status of a node, as its control socket answers it."""

from typing import Any

import pytest


@pytest.fixture
def status() -> dict[str, Any]:
    """A node with one service, whose second port could not be bound and whose second pod is not ready."""
    mailbox = {"depth": 0, "high_water": 3, "capacity": 1024, "sent": 5, "received": 6, "dropped": {}, "waited_s": 0.25}
    return {
        "node": "edge-1",
        "version": "0.1.0",
        "uptime_s": 7507.5,
        "state": "degraded",
        "reasons": ["port 127.251.0.1:80 of default/nginx-svc is not bound: address already in use"],
        "modules": [
            {"name": "websocket", "group": "hub", "state": "running", "restarts": 0, "mailbox": mailbox},
            {"name": "edgemesh", "group": "mesh", "state": "running", "restarts": 2, "mailbox": mailbox},
        ],
        "link": {
            "state": "connected",
            "url": "ws://127.0.0.1:10000/e/p/edge-1",
            "since_s": 65,
            "sent": 4,
            "received": 9,
        },
        "mesh": {
            "mode": "rootless",
            "pool": "127.251.0.0/16",
            "dns": {"listening": ["127.0.0.1:10053", "127.251.0.255:10053"]},
            "plain_listener": "127.0.0.1:40001",
            "services": [
                {
                    "namespace": "default",
                    "name": "nginx-svc",
                    "fake_ip": "127.251.0.1",
                    "ports": [
                        _port("web", 12345, 80, "listening", ""),
                        _port("more", 80, 81, "not_bound", "in_use"),
                    ],
                    "backends": [
                        {"port": 12345, "pod": "nginx-a", "endpoint": "127.0.0.2:8080", "state": "in", "reason": ""},
                        {"port": 12345, "pod": "nginx-b", "endpoint": None, "state": "out", "reason": "not_running"},
                    ],
                }
            ],
            "ports_not_bound": [
                {
                    "service": "default/nginx-svc",
                    "address": "127.251.0.1",
                    "port": 80,
                    "reason": "in_use",
                    "text": "address already in use",
                }
            ],
        },
        "listening": {"control": "/run/edgecore.sock", "observe": "http://127.0.0.1:10550", "dns": "", "proxy": None},
    }


def _port(name: str, port: int, target: int, state: str, reason: str) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": "TCP", "target": target, "state": state, "reason": reason}
