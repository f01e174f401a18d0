"""resolv.conf texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.resolvconf import nameservers


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("nameserver 192.0.2.1\n", ["192.0.2.1"]),
        ("nameserver\t192.0.2.1", ["192.0.2.1"]),
        ("nameserver 192.0.2.1\r\nnameserver   192.0.2.2  \n", ["192.0.2.1", "192.0.2.2"]),
        ("nameserver 2001:db8::1\nnameserver fe80::1%eth0\n", ["2001:db8::1", "fe80::1%eth0"]),
        ("nameserver 2001:DB8:0::1\n", ["2001:db8::1"]),
        ("nameserver 192.0.2.1 # office\nnameserver 192.0.2.2;home\n", ["192.0.2.1", "192.0.2.2"]),
        ("nameserver 192.0.2.1 192.0.2.2\n", ["192.0.2.1"]),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
        ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n", []),
        (" nameserver 192.0.2.1\n", []),
        ("nameserver192.0.2.1\nnameservers 192.0.2.2\nNAMESERVER 192.0.2.3\n", []),
        ("nameserver\nnameserver \nnameserver #\n", []),
        ("nameserver dns.example\nnameserver 192.0.2\nnameserver 192.0.2.256\n", []),
        ("search nameserver 192.0.2.1\noptions ndots:5\ndomain nameserver\n", []),
        ("", []),
    ],
)
def test_servers_are_those_that_the_manual_says(text, hosts):
    assert nameservers(text) == tuple((host, 53) for host in hosts)


def test_more_than_three_servers_count():
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(5))
    assert len(nameservers(text)) == 5


@given(st.lists(st.text() | st.text().map("nameserver {}".format)).map("\n".join))
def test_any_text_gives_a_list(text):
    assert all(port == 53 for _, port in nameservers(text))
