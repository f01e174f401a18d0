"""resolv.conf texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.resolver.resolvconf import (
    marked_host,
    nameable,
    nameservers,
    put_first,
    read_resolv_conf,
    search_domains,
    take_out,
)


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


_LINES = st.sampled_from(
    [
        b"nameserver 192.0.2.1",
        b"nameserver 127.0.0.1 ",
        b"nameserver 127.0.0.1 # mine",
        b"# edgecore: first while it runs",
        b"search corp.example",
        b"options ndots:2 rotate",
        b"\toptions edns0",
        b"; a comment",
        b"",
        b"\xff\xfe",
    ]
)
ANY_CONTENTS = st.lists(st.tuples(_LINES | st.binary(max_size=20), st.sampled_from([b"\n", b"\r\n", b"\r", b""]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
CONTENTS = ANY_CONTENTS.filter(lambda content: marked_host(content) is None)
HOSTS = st.sampled_from(["127.0.0.1", "::1", "192.0.2.53", "fe80::1%eth0"])


@given(CONTENTS, HOSTS)
def test_what_was_put_first_is_taken_out_to_the_byte(content, host):
    assert take_out(put_first(content, host)) == content


@given(ANY_CONTENTS, HOSTS)
def test_a_line_that_a_crash_left_is_taken_over(content, host):
    assert take_out(put_first(content, host)) == take_out(content)


@given(ANY_CONTENTS, HOSTS, HOSTS)
def test_putting_first_again_changes_nothing_but_the_address(content, host, other):
    once = put_first(content, host)
    assert put_first(once, host) == once
    assert put_first(put_first(content, other), host) == once


@given(CONTENTS, CONTENTS, HOSTS)
def test_of_a_file_that_somebody_changed_only_our_line_goes(before, behind, host):
    ours = put_first(b"", host)
    above = before if not before or before.endswith(b"\n") else before + b"\n"
    assert take_out(above + ours + behind) == above + behind
    assert take_out(above + ours.replace(b"\n", b"\r\n") + behind) == above + behind


@given(CONTENTS, HOSTS)
def test_our_server_is_the_first_and_all_else_is_said_as_before(content, host):
    before, after = (read_resolv_conf(text.decode(errors="replace")) for text in (content, put_first(content, host)))
    assert after.servers[0] == host
    assert [server for server in after.servers if server != host] == [one for one in before.servers if one != host]
    assert after[1:] == before[1:]
    assert marked_host(put_first(content, host)) == host


@pytest.mark.parametrize(
    ("content", "host"),
    [
        (b"nameserver 127.0.0.1 # edgecore: first while it runs\n", "127.0.0.1"),
        (b"search x\nnameserver\t::1\t# edgecore: first while it runs  \r\n", "::1"),
        (b"nameserver 127.0.0.1 # edgecore: first while it runs", "127.0.0.1"),
        (b"nameserver 127.0.0.1\n# edgecore: first while it runs\n", None),
        (b"#nameserver 127.0.0.1 # edgecore: first while it runs\n", None),
        (b"nameserver 127.0.0.1 # edgecore: first while it runs and more\n", None),
        (b"", None),
    ],
)
def test_a_line_is_ours_by_its_mark(content, host):
    assert marked_host(content) == host


@pytest.mark.parametrize(
    ("addresses", "host"),
    [
        ([("127.0.0.1", 53)], "127.0.0.1"),
        ([("0.0.0.0", 53)], "127.0.0.1"),
        ([("::", 53)], "::1"),
        ([("::1", 53), ("127.0.0.1", 53)], "127.0.0.1"),
        ([("192.0.2.7", 53), ("::1", 53)], "::1"),
        ([("2001:db8::1", 53), ("192.0.2.7", 53)], "192.0.2.7"),
        ([("127.0.0.9", 10053), ("127.0.0.8", 53)], "127.0.0.8"),
        ([("127.0.0.1", 10053)], None),
        ([], None),
    ],
)
def test_only_port_53_can_be_named_and_loopback_is_preferred(addresses, host):
    assert nameable(addresses) == host


@pytest.mark.parametrize(
    ("text", "search", "options"),
    [
        ("search a.example b.example\n", ("a.example", "b.example"), ()),
        ("search a.example\ndomain b.example c.example\n", ("b.example",), ()),
        ("search a.example # b\n# search c\n search d\n", ("a.example",), ()),
        ("options ndots:5 rotate\noptions edns0\n", (), ("ndots:5", "rotate", "edns0")),
        ("\n\n", (), ()),
    ],
)
def test_search_list_and_options_are_those_that_the_manual_says(text, search, options):
    assert read_resolv_conf(text) == ((), search, options)


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("search a.example b.example\n", ("a.example", "b.example")),
        ("search a.example\nsearch b.example\n", ("b.example",)),
        ("search a.example # office\n", ("a.example",)),
        ("domain a.example x\n", ("a.example",)),
        ("domain a.example\nsearch\tb.example c\n", ("b.example", "c")),
        ("search a.example\ndomain\n", ("a.example",)),
        ("search\n", ()),
        ("searching a.example\n search b.example\n#search c.example\n", ()),
        ("", ()),
    ],
)
def test_search_domains_are_those_of_the_last_line(text, domains):
    assert search_domains(text) == domains


@given(st.lists(st.text() | st.text().map("search {}".format)).map("\n".join))
def test_any_text_gives_search_domains(text):
    assert all(search_domains(text))
