"""What people read of interception."""

from typing import Any

from edgecore.cli.intercept_report import status_text

ACTIVE: dict[str, Any] = {
    "state": "active",
    "interface": "docker0",
    "made": False,
    "address": "169.254.96.16",
    "subnet": "9.251.0.0/16",
    "tool": "nft",
    "table": "edgecore_7",
    "owner": True,
    "forwards": False,
    "keeper": 7,
    "keeper_restarts": 1,
    "led": 5,
    "balanced": 2,
    "names": ["192.0.2.1"],
    "repair": True,
    "repairs": 3,
    "failures": 0,
    "findings": [],
    "problem": "",
}


def test_each_part_has_a_line() -> None:
    assert status_text(ACTIVE).splitlines() == [
        "state       active",
        "interface   docker0 (not ours), address 169.254.96.16",
        "fake IPs    9.251.0.0/16",
        "rules       nft, table edgecore_7, the keeper's own",
        "ports       5 led to the node, 2 of them balanced by the kernel",
        "names       questions to 192.0.2.1 are led to the node",
        "ip_forward  off: containers are served by the proxy alone",
        "keeper      pid 7, started again 1 times",
        "repairs     3; 0 transactions failed",
    ]


def test_after_remove_nothing_is_named_that_is_gone() -> None:
    gone = {"made": None, "tool": None, "table": None, "owner": None, "forwards": None, "keeper": None}
    assert status_text({**ACTIVE, **gone, "state": "removed", "names": []}).splitlines() == [
        "state     removed",
        "fake IPs  9.251.0.0/16",
        "left      the route by which they are refused, until the node has ended and remove is run again",
        "repairs   3; 0 transactions failed",
    ]


def test_what_is_amiss_is_below() -> None:
    told = {**ACTIVE, "state": "degraded", "findings": ["the table is gone"], "problem": "nft: no", "repair": False}
    assert status_text(told).splitlines()[-3:] == [
        "repairs     3 (repair is off); 0 transactions failed",
        "missing: the table is gone",
        "problem: nft: no",
    ]
