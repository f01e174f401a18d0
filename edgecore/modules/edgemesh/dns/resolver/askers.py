"""What differs from asker to asker of one question: id, flags, spelling, OPT, and how long a reply may be (pure)."""

from msgspec import Struct

from edgecore.modules.edgemesh.dns.packets.messages import Question, whole_records
from edgecore.modules.edgemesh.dns.packets.packet import (
    HEADER_BYTES,
    PAYLOAD_BYTES,
    TCP_LIMIT_BYTES,
    Query,
    are_options,
    room,
)
from edgecore.modules.edgemesh.dns.resolver.findings import Finding

STALE_ANSWER, NO_REACHABLE_AUTHORITY = 3, 22
"""Extended errors (RFC 8914 section 4)."""

_RD, _TC, _QR, _AA = 0x01, 0x02, 0x80, 0x04
_RA, _AD, _CD = 0x80, 0x20, 0x10
_OPT_HEAD = b"\0\0\x29" + PAYLOAD_BYTES.to_bytes(2, "big") + b"\0\0"
OPT = _OPT_HEAD + b"\0\0\0\0"
OPT_DO = _OPT_HEAD + b"\x80\0\0\0"


class Asker(Struct, frozen=True, gc=False):
    """One asker of a question."""

    id: bytes
    spelled: bytes
    """The question as it came."""
    question: Question
    """As upstream servers are asked it."""
    wants_authentic: bool
    """Whether the AD bit means anything to it (RFC 6840 section 5.8)."""
    has_opt: bool
    limit_bytes: int

    def reply(
        self,
        finding: Finding,
        body: bytes | None = None,
        *,
        extended_error: int | None = None,
        is_authoritative: bool = False,
    ) -> bytes:
        """Return the reply: at most ``limit_bytes``, with TC and as many answers as fit if not all do.

        ``body`` is the finding's ``tail`` with TTLs as they are now.
        """
        body = finding.tail if body is None else body
        opt = self._opt(extended_error)
        most = self.limit_bytes - HEADER_BYTES - len(self.spelled) - len(opt)
        counts = finding.counts
        is_cut = len(body) > most
        if is_cut:
            count, end = whole_records(body, int.from_bytes(counts[:2], "big"), most)
            counts, body = count.to_bytes(2, "big") + b"\0\0", body[:end]
        truncated = is_cut or finding.is_truncated
        question = self.question
        flags = bytes(
            (
                _QR | question.recursion_desired * _RD | truncated * _TC | is_authoritative * _AA,
                _RA
                | question.checking_disabled * _CD
                | (finding.is_authentic and self.wants_authentic) * _AD
                | finding.rcode & 0x0F,
            )
        )
        return b"".join((self.id, flags, b"\0\1", counts, bytes((0, self.has_opt)), self.spelled, body, opt))

    def _opt(self, extended_error: int | None) -> bytes:
        if not self.has_opt:
            return b""
        opt = OPT_DO if self.question.dnssec_ok else OPT
        if extended_error is None:
            return opt
        return opt[:-2] + b"\0\6\0\x0f\0\2" + extended_error.to_bytes(2, "big")


def read_asker(packet: bytes, query: Query, *, is_tcp: bool) -> Asker:
    """Return who asks ``packet``, which reads as ``query``."""
    spelled = packet[HEADER_BYTES : query.end]
    question = Question(
        spelled[:-4].lower(),
        spelled[-4:],
        bool(packet[2] & _RD),
        bool(packet[3] & _CD),
        query.dnssec_ok,
    )
    return Asker(
        packet[:2],
        spelled,
        question,
        bool(packet[3] & _AD) or query.dnssec_ok,
        query.edns_version is not None,
        room(query, TCP_LIMIT_BYTES if is_tcp else PAYLOAD_BYTES),
    )


def is_plain_opt(rest: bytes) -> bool:
    """Say whether ``rest`` is one OPT record of version 0, with any options, and nothing else."""
    if rest[:3] != b"\0\0\x29" or rest[6:7] != b"\0" or int.from_bytes(rest[9:11], "big") != len(rest) - 11:
        return False
    return len(rest) == 11 or are_options(rest[11:])
