"""What tools say, in one line, and the word for it."""

import pytest

from edgecore.modules.edgemesh.intercept.keeper.outcome import WORDS_LIMIT, refusal, words

NFT = """/dev/stdin:1:14-14: Error: syntax error, unexpected junk
add table ip ?
             ^
"""


def test_what_nft_says_is_one_line_without_its_marks():
    assert words(NFT) == "/dev/stdin:1:14-14: Error: syntax error, unexpected junk | add table ip ?"


def test_what_a_tool_says_at_length_is_cut():
    assert len(words("word " * 10_000)) == WORDS_LIMIT


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Error: Could not process rule: Operation not permitted", "no_permission"),
        ("RTNETLINK answers: Operation not permitted", "no_permission"),
        ("iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied", "no_permission"),
        ("Fatal: can't open lock file: you must be root", "no_permission"),
        ("Error: Could not process rule: No such file or directory", "refused"),
        ("Error: Could not process rule: Operation not supported", "refused"),
    ],
)
def test_a_refusal_for_want_of_permission_has_a_word_of_its_own(said, reason):
    outcome = refusal("`ip link` failed", said)
    assert (outcome.reason, outcome.error) == (reason, f"`ip link` failed: {said}")
