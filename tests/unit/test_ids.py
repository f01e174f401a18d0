"""Ids: UUIDs of version 4, unique, and repeatable where a seed is given."""

import re
import uuid

import pytest

from edgecore.ids import NewId, random_ids, seeded_ids

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MORE_THAN_FOUR_BLOCKS = 20_000


@pytest.mark.parametrize("new_id", [random_ids(), seeded_ids(7)], ids=["random", "seeded"])
def test_id_is_a_uuid_of_version_4_in_lower_case(new_id: NewId) -> None:
    for _ in range(MORE_THAN_FOUR_BLOCKS):
        text = new_id()
        assert UUID4.fullmatch(text)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)


@pytest.mark.parametrize("new_id", [random_ids(), seeded_ids(7)], ids=["random", "seeded"])
def test_ids_do_not_repeat_within_and_across_blocks(new_id: NewId) -> None:
    assert len({new_id() for _ in range(MORE_THAN_FOUR_BLOCKS)}) == MORE_THAN_FOUR_BLOCKS


def test_ids_of_one_block_are_consecutive_and_the_next_block_is_another() -> None:
    new_id = seeded_ids(7)
    ids = [new_id() for _ in range(4097)]
    assert [int(text[-3:], 16) for text in ids] == [*range(4096), 0]
    assert {text[:-3] for text in ids[:4096]} == {ids[0][:-3]}
    assert ids[4096][:-3] != ids[0][:-3]


def test_every_variant_occurs() -> None:
    assert {seeded_ids(seed)()[19] for seed in range(200)} == set("89ab")


def test_same_seed_gives_the_same_ids_and_another_seed_others() -> None:
    first, second, other = seeded_ids(1), seeded_ids(1), seeded_ids(2)
    sequence = [first() for _ in range(5000)]
    assert [second() for _ in range(5000)] == sequence
    assert not {other() for _ in range(5000)} & set(sequence)


def test_sources_of_random_ids_do_not_share_a_block() -> None:
    assert len({random_ids()()[:-3] for _ in range(100)}) == 100
