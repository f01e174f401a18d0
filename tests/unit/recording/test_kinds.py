"""Words of people to kinds of entries, and back."""

import pytest

from edgecore.errors import ConfigError
from edgecore.recording.entries import KEYS
from edgecore.recording.kinds import ALL, DEFAULT, kinds_of, words_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("default", DEFAULT),
        ("all", ALL),
        ("frames", ("text", "note")),
        (" Frame , bus,", ("text", "note", "bus")),
        ("default,dns", (*DEFAULT, "dns")),
        ("", ("note",)),
    ],
)
def test_words_become_keys_and_notes_are_always_there(text: str, kinds: tuple[str, ...]) -> None:
    assert set(kinds_of(text)) == set(kinds)


def test_a_word_that_means_nothing_is_named_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"cannot record 'colours': .*frames.*requests"):
        kinds_of("bus,colours")


def test_every_kind_is_one_of_the_format_and_has_a_word() -> None:
    assert set(ALL) | {"session", "http", "lost"} == set(KEYS)
    assert [*kinds_of(",".join(words_of(ALL)))] == [*ALL]
