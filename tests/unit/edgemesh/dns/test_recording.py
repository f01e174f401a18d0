"""Every row of the recording: what the Go node sent (flags, rcode, answers), what we send, and why they differ."""

from dataclasses import dataclass

import pytest
from dnslib import DNSRecord

from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Drop, Forward, Reply, decide

NGINX, SYS, HEADLESS, EXTERNAL, KUBERNETES = "9.251.0.2", "9.251.0.7", "9.251.0.5", "9.251.0.10", "9.251.0.1"
NGINX_NAME = "nginx-svc.default.svc.cluster.local."
FLAGS = "we are the zone's server (AA) and forward other names (RA)"
WENT_OUT = "a cluster name must not reach the public resolver"
SOA = "SOA:cluster.local./5"
UNPARSABLE = "unparsable: an OPT is announced and none is there"


@dataclass(frozen=True)
class Row:
    go: str
    ours: str
    why: str = FLAGS


def both(address: str, go_flags: str = "rd", our_flags: str = "aa rd ra", opt: str = "") -> Row:
    return Row(f"{go_flags} rcode=0 A={address}/64".strip(), f"{our_flags} rcode=0 A={address}/64{opt}")


ROWS = {
    "A service": both(NGINX),
    "A service with EDNS OPT": Row(
        UNPARSABLE, f"aa rd ra rcode=0 A={NGINX}/64 opt(1232,0,0,0)", "an OPT is answered with an OPT (RFC 6891, 6.1.1)"
    ),
    "A service RD=0": both(NGINX, go_flags="", our_flags="aa ra"),
    "A service AD bit": Row(
        f"rd ad rcode=0 A={NGINX}/64", f"aa rd ra rcode=0 A={NGINX}/64", "AD would say that DNSSEC was checked"
    ),
    "A service upper case": Row(
        "rd ra rcode=3", f"aa rd ra rcode=0 A={NGINX}/64", "names are equal whatever their case (RFC 4343)"
    ),
    "A service trailing different suffix nginx-svc.default.foo": Row(
        f"rd rcode=0 A={NGINX}/64", "forwarded", "a name of another domain is not ours"
    ),
    "A nginx-svc.default": both(NGINX),
    "A nginx-svc (single label)": both(NGINX),
    "A nginx-svc.default.test": Row(f"rd rcode=0 A={NGINX}/64", "forwarded", "a name of another domain is not ours"),
    "AAAA service": Row("rd ra rcode=3", f"aa rd ra rcode=0 {SOA}", "NXDOMAIN of one type denies all (RFC 8020)"),
    "AAAA a.test (forwarded)": Row("rd ra rcode=0 AAAA=2001:db8::7/300", "forwarded", "same: it was forwarded too"),
    "ANY service": Row("rd ra rcode=3", f"aa rd ra rcode=0 A={NGINX}/64", WENT_OUT),
    "SRV service": Row(
        "rd ra rcode=3",
        f"aa rd ra rcode=0 SRV=0 100 12345 {NGINX_NAME}/64 +{NGINX_NAME} A={NGINX}/64",
        "its port has a name (RFC 2782)",
    ),
    "PTR 2.0.251.9.in-addr.arpa": Row(
        "rd ra rcode=3", f"aa rd ra rcode=0 PTR={NGINX_NAME}/64", "nobody else knows the addresses of the pool"
    ),
    "A class CH": Row(f"rd rcode=0 A={NGINX}/64", "rd ra rcode=5", "services have addresses in class IN only"),
    "A kube-system sys-svc": both(SYS),
    "A headless": both(HEADLESS),
    "A ExternalName": Row(f"rd rcode=0 A={EXTERNAL}/64", "CNAME a.test and what that is", "it stands for that name"),
    "A kubernetes.default": both(KUBERNETES),
    "A unknown svc name": Row("rd ra rcode=3", f"aa rd ra rcode=3 {SOA}", WENT_OUT),
    "A a.test forwarded": Row("rd ra rcode=0 A=203.0.113.7/300", "forwarded", "same: it was forwarded too"),
    "A nginx.nosuchns": Row("rd ra rcode=3", f"aa rd ra rcode=3 {SOA}", WENT_OUT),
    "root NS query": Row("rd ra rcode=3", "forwarded", "same: it was forwarded too"),
    "two questions": Row("rd ra rcode=3", "formerr question_count", "a query has one question (RFC 9619)"),
    "zero questions": Row("rd ra rcode=1", "formerr question_count", "the same answer, without asking anybody"),
    "a response (QR=1) packet": Row("nothing", "dropped not_a_query", "same: it gets no answer"),
    "opcode STATUS": Row(f"rcode=0 A={NGINX}/64", "ra rcode=4", "STATUS is no question for an address"),
    "trailing garbage": both(NGINX),
    "63-byte label": Row("rd ra rcode=3", f"aa rd ra rcode=3 {SOA}", WENT_OUT),
    "A service, id 0": both(NGINX),
    "CRASH short5": Row("rd ra rcode=1", "dropped short", "too short for a header, so for a reply"),
    "CRASH hdronly": Row("nothing", "formerr truncated_name", "it ended the Go process"),
    "CRASH label": Row("nothing", "formerr truncated_name", "it ended the Go process"),
    "CRASH noqtype": Row("rd ra rcode=1", "formerr truncated_question", "the same answer, without asking anybody"),
    "CRASH ptr": Row("nothing", "formerr compressed_name", "it ended the Go process"),
}


def test_every_row_of_the_recording_is_in_the_table(recording):
    assert [entry["desc"] for entry in recording] == list(ROWS)


@pytest.mark.parametrize("desc", ROWS)
def test_go_node_sent_what_the_table_says(desc, recording, shown):
    entry = next(entry for entry in recording if entry["desc"] == desc)
    if ROWS[desc].go == UNPARSABLE:
        with pytest.raises(Exception, match="Error unpacking"):
            DNSRecord.parse(bytes.fromhex(entry["responses"][0]["hex"]))
        return
    assert [shown(bytes.fromhex(response["hex"])) for response in entry["responses"]] == (
        [] if ROWS[desc].go == "nothing" else [ROWS[desc].go]
    )


@pytest.mark.parametrize("desc", ROWS)
def test_recorded_query_gets_the_right_answer(desc, recording, recorded_names, shown):
    packet = bytes.fromhex(next(entry for entry in recording if entry["desc"] == desc)["query"])
    match decide(packet, recorded_names):
        case Reply(reply, "formerr", reason):
            assert reply == packet[:2] + b"\x81\x81" + bytes(8)
            seen = f"formerr {reason}"
        case Reply(reply):
            seen = shown(reply)
        case Forward(forwarded):
            assert forwarded == packet
            seen = "forwarded"
        case Chase(targets=(target,)):
            seen = f"CNAME {b'.'.join(target).decode()} and what that is"
        case Drop(reason):
            seen = f"dropped {reason}"
    assert seen == ROWS[desc].ours, ROWS[desc].why
