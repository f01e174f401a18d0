"""What the settings of EdgeMesh come to."""

from ipaddress import IPv6Network
from typing import Any

import pytest

from edgecore.config.meshdns import MeshDns
from edgecore.config.modules import EdgeMesh
from edgecore.modules.edgemesh.explain.ports import SETTINGS
from edgecore.modules.edgemesh.settings import dns_recipe, hijack_refusal, told_settings
from edgecore.modules.edgemesh.upstream.policy import Policy


@pytest.mark.parametrize(
    ("settings", "why_no_mark", "word"),
    [
        ({}, "", ""),
        ({"intercept": False}, "", "off"),
        ({"manage_resolv_conf": True}, "", "manage_resolv_conf"),
        ({"manage_resolv_conf": True, "intercept": False}, "denied", "manage_resolv_conf"),
        ({}, "denied", "no_mark"),
    ],
)
def test_questions_are_led_here_unless_something_speaks_against_it(
    settings: dict[str, Any], why_no_mark: str, word: str
) -> None:
    found, text = hijack_refusal(MeshDns(**settings), why_no_mark)
    assert (found, bool(text)) == (word, bool(word))


def test_questions_to_upstream_servers_carry_a_mark_only_where_one_is_given() -> None:
    assert dns_recipe(MeshDns(), "cluster.local", "default").mark == 0
    assert dns_recipe(MeshDns(), "cluster.local", "default", mark=7).mark == 7


@pytest.mark.parametrize(
    ("prefix", "intercepts", "told"),
    [
        ("fd00:ec::/96", False, "fd00:ec::/96"),
        ("fd00:ec::/96", True, ""),
        ("::ffff:0:0/96", True, "::ffff:0:0/96"),
        ("", True, ""),
    ],
)
def test_rules_lead_no_ipv6_so_none_is_told_but_ipv4_in_disguise(prefix: str, intercepts: bool, told: str) -> None:
    recipe = dns_recipe(MeshDns(ipv6_prefix=prefix), "cluster.local", "default", intercepts=intercepts)
    network = recipe.names.ipv6_prefix
    assert (IPv6Network(network) if network else None) == (IPv6Network(told) if told else None)


def test_each_setting_is_told_by_its_path_as_people_write_it() -> None:
    told = told_settings(EdgeMesh(lb_strategy="Random"))
    assert told["modules.edgeMesh.lbStrategy"] == "Random"
    assert told["modules.edgeMesh.traffic.podAddresses"] == "false"
    assert told["modules.edgeMesh.limits.connectTimeout"] == "5"


def test_the_settings_that_explain_names_are_there_and_are_those_of_a_policy() -> None:
    assert set(SETTINGS.values()) <= told_settings(EdgeMesh()).keys()
    assert set(SETTINGS) <= set(Policy.__struct_fields__)
