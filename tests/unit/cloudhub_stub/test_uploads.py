"""What devices send up, in the forms of earlier and later edges."""

from typing import Any

import pytest

from cloudhub_stub.uploads import LONGEST_SHOWN, LONGEST_TOPIC, Upload, is_upload, upload_of

BUS = {"source": "bus", "group": "user"}


@pytest.mark.parametrize(
    ("operation", "resource", "topic"),
    [
        ("response", "JGh3L2V2ZW50cy91cGxvYWQveA==", "$hw/events/upload/x"),
        ("response", "JGh3L2V2ZW50cy91cGxvYWQveA", "$hw/events/upload/x"),
        ("response", "SYS/dis/upload_records", "SYS/dis/upload_records"),
        ("response", "x", "x"),
        ("upload", "$hw/events/upload/x", "$hw/events/upload/x"),
        ("upload", "default/user/x", "default/user/x"),
        ("upload", "YWJj", "YWJj"),
    ],
)
def test_the_topic_is_the_resource_in_base64_or_as_it_is(
    message: Any, operation: str, resource: str, topic: str
) -> None:
    sent = message(operation, resource, "hello", **BUS)
    assert is_upload(sent)
    assert upload_of(sent, 5) == Upload(topic, 7, 5, operation, "hello")


def test_of_a_long_upload_the_beginning_is_kept(message: Any) -> None:
    upload = upload_of(message("upload", "t" * 1000, "x" * 5000, **BUS), 5)
    assert (len(upload.topic), upload.size_bytes, len(upload.shown)) == (LONGEST_TOPIC, 5002, LONGEST_SHOWN)


def test_what_is_no_text_is_shown_as_json(message: Any) -> None:
    assert upload_of(message("upload", "t", {"a": [1]}, **BUS), 5).shown == '{"a":[1]}'


@pytest.mark.parametrize(
    ("operation", "source", "group"),
    [("response", "edged", "meta"), ("publish", "bus", "user"), ("upload", "twin", "user"), ("upload", "bus", "hub")],
)
def test_other_messages_are_no_uploads(message: Any, operation: str, source: str, group: str) -> None:
    assert not is_upload(message(operation, "t", source=source, group=group))
