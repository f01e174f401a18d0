"""Any entry of a recording of version 2, for property tests."""

from hypothesis import strategies as st

from edgecore.recording.entries import (
    KEYS,
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Direction,
    DnsExchange,
    Entry,
    Fault,
    Http,
    Loss,
    MqttDirection,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
    Write,
)

_TEXT = st.text(max_size=12)
_NUMBER = st.integers(0, 2**53)
_WAY = st.sampled_from(Direction)
_LINK = st.integers(0, 99) | st.text(max_size=4)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_PLACED = {
    "line": st.just(3),
    "t_ns": st.integers(0, 2**62),
    "n": _NUMBER,
    "causes": st.lists(_NUMBER, max_size=3).map(tuple),
}
_PARAM = st.none() | st.integers(-(2**53), 2**53) | _TEXT
_TRANSPORT = st.sampled_from(("udp", "tcp"))

ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        SessionHead,
        **_PLACED,
        version=st.integers(1, 2),
        program=_TEXT,
        node=_TEXT,
        kinds=st.lists(st.sampled_from(sorted(KEYS)), unique=True).map(tuple),
        redacted=st.booleans(),
    ),
    st.builds(CloudFrame, **_PLACED, direction=_WAY, link=_LINK, text=_TEXT),
    st.builds(Http, **_PLACED, direction=_WAY, link=_LINK, head=_TEXT, body=st.binary(max_size=9)),
    st.builds(
        ConnectionEvent,
        **_PLACED,
        direction=_WAY,
        link=_LINK,
        event=st.sampled_from(("open", "eof", "error")),
        tls=_TEXT,
        detail=_TEXT,
    ),
    st.builds(Note, **_PLACED, text=_TEXT, topic=_TEXT, payload=_TEXT, out=_TEXT),
    st.builds(BusMessage, **_PLACED, sender=_TEXT, receiver=_TEXT, text=_TEXT, injected=st.booleans()),
    st.builds(
        MqttMessage,
        **_PLACED,
        direction=st.sampled_from(MqttDirection),
        broker=_TEXT,
        topic=_TEXT,
        payload=st.binary(max_size=9),
        message_id=_TEXT,
    ),
    st.builds(
        Commit,
        **_PLACED,
        writes=st.lists(st.builds(Write, _TEXT, st.lists(_PARAM, max_size=3).map(tuple)), max_size=3).map(tuple),
    ),
    st.builds(
        DnsExchange,
        **_PLACED,
        client=_TEXT,
        transport=_TRANSPORT,
        query=st.binary(max_size=9),
        answer=st.binary(max_size=9),
        took_us=_NUMBER,
    ),
    st.builds(
        ProxiedRequest,
        **_PLACED,
        client=_TEXT,
        service=_TEXT,
        handling=_TEXT,
        head=_TEXT,
        backend=_TEXT,
        status=_NUMBER,
        reason=_TEXT,
        bytes_in=_NUMBER,
        bytes_out=_NUMBER,
        took_us=_NUMBER,
        retries=_NUMBER,
    ),
    st.builds(Fault, **_PLACED, fault=_TEXT, detail=_TEXT),
    st.builds(Snapshot, **_PLACED, state=st.dictionaries(_TEXT, _JSON, max_size=3)),
    st.builds(Loss, **_PLACED, lost=_NUMBER, reason=_TEXT),
)
"""Their line is 3."""
