"""Replies on the wire."""

from ipaddress import IPv4Address

import pytest

from edgecore.modules.edgemesh.dns.packets.packet import Query, read_query
from edgecore.modules.edgemesh.dns.packets.records import NOERROR, NOTIMP, address_record, compose, soa_record

DOMAIN = (b"cluster", b"local")


def test_reply_without_a_question_is_a_bare_header_with_the_asker_s_id(query):
    assert compose(query("www.example"), None, 1) == b"\x12\x34\x81\x81" + bytes(8)


def test_address_points_at_the_question_for_its_name(query):
    packet = query("web.default")
    record = address_record((b"web", b"default"), IPv4Address("127.251.0.1"), 64)
    reply = compose(packet, read_query(packet), NOERROR, authoritative=True, answers=[record])
    assert reply[12:] == packet[12:] + bytes.fromhex("c00c 0001 0001 00000040 0004 7ffb0001")


def test_soa_is_read_as_it_was_written(query, shown):
    packet = query("web.cluster.local")
    reply = compose(packet, read_query(packet), NOERROR, authority=[soa_record(DOMAIN, 5)])
    assert shown(reply) == "rd ra rcode=0 SOA:cluster.local./5"
    assert reply[-4:] == b"\0\0\0\5"
    assert reply.count(b"cluster") == 1


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0x0000, 0x8080),
        (0x0100, 0x8180),
        (0x0110, 0x8190),
        (0x0120, 0x8180),
        (0x0640, 0x8080),
        (0x2000, 0xA080),
    ],
)
def test_opcode_rd_and_cd_are_repeated_and_other_flags_are_not(flags, expected, query):
    packet = query("www.example", flags=flags)
    assert int.from_bytes(compose(packet, read_query(packet), NOERROR)[2:4], "big") == expected


def test_rcode_of_more_than_four_bits_has_its_upper_part_in_the_opt(query, shown):
    packet = query("www.example", opt="plain")
    assert shown(compose(packet, read_query(packet), 16)) == "rd ra rcode=0 opt(1232,1,0,0)"


def test_label_of_any_bytes_is_repeated_as_it_came():
    question = b"\x02\xff\x00\x01.\x00\x00\x01\x00\x01"
    packet = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question
    read = read_query(packet)
    assert isinstance(read, Query)
    assert compose(packet, read, NOTIMP)[12:] == question
