"""Which servers are for which name."""

import pytest

from dnsreplies import name
from edgecore.modules.edgemesh.dns.resolver.zones import Zones

CORP, LAB, HERE = ("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 5353)
ZONES = Zones({"Corp.example": [CORP], "lab.corp.example": [LAB, HERE], "internal": [HERE]})


@pytest.mark.parametrize(
    ("asked", "zone"),
    [
        ("www.corp.example", "Corp.example"),
        ("corp.example", "Corp.example"),
        ("a.b.lab.corp.example", "lab.corp.example"),
        ("lab.corp.example", "lab.corp.example"),
        ("host.internal", "internal"),
        ("mycorp.example", None),
        ("example", None),
        ("corp.example.com", None),
        ("", None),
    ],
)
def test_longest_zone_that_the_name_is_in_wins(asked, zone):
    found = ZONES.find(name(asked))
    assert (found and found[0]) == zone


def test_servers_of_a_zone_come_in_their_order():
    assert ZONES.find(name("lab.corp.example")) == ("lab.corp.example", (LAB, HERE))
    assert [zone for zone, _ in ZONES.all] == ["Corp.example", "lab.corp.example", "internal"]


def test_without_zones_no_name_is_in_one():
    assert Zones({}).find(name("www.example")) is None
