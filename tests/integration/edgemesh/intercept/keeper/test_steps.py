"""Programs as steps: what they print, how they fail, and how long they may take."""

import pytest

from edgecore.modules.edgemesh.intercept.keeper.libnftables import Library, Missing, Program, find_nftables
from edgecore.modules.edgemesh.intercept.keeper.outcome import Outcome
from edgecore.modules.edgemesh.intercept.keeper.protocol import MESSAGE_LIMIT_BYTES, Command, Nft
from edgecore.modules.edgemesh.intercept.keeper.steps import Steps


@pytest.fixture
def steps():
    return Steps(Missing())


def test_what_a_program_prints_is_the_output_and_it_reads_its_input(steps):
    assert steps.do(Command(("cat",), stdin="né\n")) == Outcome("né\n")


def test_the_words_of_a_program_that_fails_are_kept_and_it_speaks_english(steps):
    outcome = steps.do(Command(("sh", "-c", 'echo "$LC_ALL: no" >&2; exit 3')))
    assert outcome == Outcome(error='`sh -c echo "$LC_ALL: no" >&2; exit 3` failed: C: no', reason="refused")


def test_a_program_that_says_nothing_is_known_by_its_code(steps):
    assert steps.do(Command(("sh", "-c", "exit 3"))).error.endswith("exit code 3")


def test_a_program_that_may_fail_does_not(steps):
    assert steps.do(Command(("false",), may_fail=True)) == Outcome()
    assert steps.do(Command(("no-such-program-at-all",), may_fail=True)) == Outcome()


def test_a_program_that_is_missing_has_a_word_of_its_own(steps):
    outcome = steps.do(Command(("no-such-program-at-all", "x")))
    assert (outcome.reason, outcome.error) == (
        "no_tool",
        "`no-such-program-at-all x` failed: no such program; install it",
    )


@pytest.mark.parametrize("argv", [(), ("",), ("a\0b",), ("/",), ("/etc/passwd",)])
def test_what_is_no_program_is_an_outcome_and_no_error_of_ours(steps, argv):
    assert steps.do(Command(argv)).reason in ("refused", "no_tool", "no_permission")


def test_a_program_that_goes_on_is_killed():
    outcome = Steps(Missing(), limit_s=0.05).do(Command(("sleep", "100")))
    assert outcome == Outcome(
        error="`sleep 100` failed: it did not end within 0.05 s and was killed",
        reason="refused",
    )


def test_a_program_whose_child_keeps_its_output_open_is_given_up():
    outcome = Steps(Missing(), limit_s=0.2).do(Command(("sh", "-c", "sleep 1 & exit 0")))
    assert outcome.reason == "refused"


def test_a_program_that_prints_more_than_a_message_takes_has_failed(steps):
    outcome = steps.do(Command(("head", "-c", str(MESSAGE_LIMIT_BYTES), "/dev/zero")))
    assert (outcome.output, outcome.reason) == ("", "refused")


def test_rules_without_nftables_say_what_to_install(steps):
    outcome = steps.do(Nft("list ruleset"))
    assert outcome.reason == "no_tool"
    assert "install nftables" in outcome.error


def test_rules_with_a_zero_in_them_are_not_done_in_part():
    outcome = find_nftables().run("add table ip a\n\0add table ip b\n", json=False)
    assert outcome.reason == "refused"


def test_programs_of_root_are_found_whatever_the_path_of_a_user_is(steps, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert steps.do(Command(("ip", "-V"))).reason == ""


def test_without_the_library_the_program_is_used_and_without_both_nothing(monkeypatch, tmp_path):
    (tmp_path / "nft").write_text('#!/bin/sh\n/bin/cat; echo "$@"\n')
    (tmp_path / "nft").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_nftables("libno-such.so.1")
    assert isinstance(found, Program)
    assert found.run("add table ip t\n", json=False) == Outcome("add table ip t\n-f -\n")
    assert found.run("list tables", json=True) == Outcome("-j -- list tables\n")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert isinstance(find_nftables("libno-such.so.1"), Missing)


def test_a_library_of_that_name_that_is_another_is_not_used():
    with pytest.raises(OSError, match="nft_ctx_new"):
        Library("libc.so.6")
