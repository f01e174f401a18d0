"""How names are spelled: the longest and oddest that are right, and what is wrong with the others."""

from collections.abc import Callable

import pytest

from cloudhub_stub.cluster.names import (
    data_key_fault,
    env_name_fault,
    label_fault,
    label_value_fault,
    port_name_fault,
    qualified_name_fault,
    service_name_fault,
    subdomain_fault,
)

Fault = Callable[[str], str]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (label_fault, "a" * 63),
        (label_fault, "0-a"),
        (service_name_fault, "a-0"),
        (subdomain_fault, "a.b-c.0"),
        (qualified_name_fault, "App_1.x"),
        (qualified_name_fault, "node-role.kubernetes.io/edge"),
        (label_value_fault, ""),
        (label_value_fault, "1.15.4"),
        (env_name_fault, "_A.b-0"),
        (port_name_fault, "http-0"),
        (port_name_fault, "0a"),
        (data_key_fault, ".config"),
        (data_key_fault, "a_B-0.yaml"),
    ],
)
def test_a_right_name_has_no_fault(fault: Fault, text: str) -> None:
    assert fault(text) == ""


@pytest.mark.parametrize(
    ("fault", "text", "said"),
    [
        (label_fault, "", "it is empty"),
        (label_fault, "a" * 64, "it has 64 characters, at most 63"),
        (label_fault, "A", "lower case"),
        (label_fault, "a.b", "'a.b'"),
        (label_fault, "a\n", "lower case"),
        (service_name_fault, "0a", "a letter first"),
        (subdomain_fault, "a..b", "each part"),
        (subdomain_fault, "-a", "each part"),
        (qualified_name_fault, "a/b/c", "prefix"),
        (qualified_name_fault, "/b", "prefix"),
        (qualified_name_fault, "a.b/", "empty"),
        (qualified_name_fault, "a b", "'a b'"),
        (label_value_fault, "-x", "at both ends"),
        (env_name_fault, "0A", "no digit first"),
        (port_name_fault, "80", "at least one letter"),
        (port_name_fault, "a--b", "single"),
        (port_name_fault, "a-very-long-port", "at most 15"),
        (data_key_fault, "..", "'..'"),
        (data_key_fault, "a/b", "'a/b'"),
    ],
)
def test_a_wrong_name_is_told_what_is_allowed(fault: Fault, text: str, said: str) -> None:
    assert said in fault(text)
