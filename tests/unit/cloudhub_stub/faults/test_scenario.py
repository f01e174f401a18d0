"""Scenario files: what they mean, and how their mistakes are named."""

import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.faults.scenario import MAX_BYTES, MAX_STEPS, load_scenario, read_scenario
from cloudhub_stub.faults.spec import KINDS, FaultSpec, Watch
from cloudhub_stub.faults.steps import At, Connected, Messages, Step
from edgecore.errors import ConfigError

EXAMPLES = Path(__file__).parents[4] / "examples" / "faults"


def one(text: str) -> Step:
    (step,) = read_scenario(textwrap.dedent(text), "f.yaml")
    return step


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read_scenario(textwrap.dedent(text), "f.yaml")
    return str(error.value)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_scenario(path: Path) -> None:
    assert load_scenario(path)


def test_a_moment_and_a_fault_are_a_step() -> None:
    assert one("- at: 1.5\n  do: {cut: {node: edge-1}}") == Step(
        "document 1, step 1", At(1.5), FaultSpec(fault="cut", node="edge-1")
    )


def test_a_fault_without_options_is_a_word() -> None:
    assert one("- at: 0\n  do: restart").fault == FaultSpec(fault="restart")


def test_a_step_may_wait_for_a_node() -> None:
    assert one("- after: {connected: edge-1, nth: 2, wait: 3}\n  do: cut").when == Connected("edge-1", 2, 3.0)


def test_a_step_may_wait_for_messages() -> None:
    step = one(
        """
        - after: {messages: 100, direction: up, resource: "*/pod/*", wait: 1}
          do: {half-open: {for: 20}}
        """
    )
    assert step.when == Messages(Watch(direction="up", resource="*/pod/*", nth=100), 1.0)
    assert step.fault == FaultSpec(fault="half-open", for_s=20.0)


def test_the_steps_of_all_documents_count() -> None:
    steps = read_scenario("- {at: 0, do: cut}\n- {at: 1, do: cut}\n---\n- {at: 2, do: cut}\n", "f.yaml")
    assert [step.place for step in steps] == ["document 1, step 1", "document 1, step 2", "document 2, step 1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {do: cut}", "step 1 (line 1): it needs either at"),
        ("- {at: 1, after: {connected: n}, do: cut}", "it needs either at"),
        ("- {at: 1}", "do: it is missing"),
        ("- 5", "document 1, step 1 (line 1): it must be a mapping"),
        ("- {at: soon, do: cut}", "at: Expected `float`, got `str`"),
        ("- {at: -1, do: cut}", "at: Expected `float` >= 0"),
        ("- {at: .nan, do: cut}", "at: Expected `float`"),
        ("- {At: 1, do: cut}", "At: not a known field"),
        ("- {at: 1, do: snip}", "do: 'snip' is no fault"),
        ("- {at: 1, do: halfopen}", "did you mean half-open?"),
        ("- {at: 1, do: {cut: {}, drop: {}}}", "do: it names one fault"),
        ("- {at: 1, do: {1: {}}}", "do: '1' is no fault"),
        ("- {at: 1, do: {drop: {ntn: 3}}}", "do.drop.ntn: not a known field; did you mean nth?"),
        ("- {at: 1, do: {drop: {nth: x}}}", "do.drop.nth: Expected `int"),
        ("- {at: 1, do: {drop: {nth: 3, every: 4}}}", "do.drop.every: nth is given as well"),
        ("- {at: 1, do: {drop: {fault: cut}}}", "do.drop.fault: it is no field"),
        ("- {at: 1, do: {drop: [1]}}", "do.drop: it must be a mapping"),
        ("- {at: 1, do: {delay: {nth: 3}}}", "do.delay.seconds: a delay needs"),
        ("- {at: 1, do: {restart: {node: n}}}", "do.restart.node: restart does not know it"),
        ("- {after: {}, do: cut}", "after: it needs either connected"),
        ("- {after: {connected: n, messages: 3}, do: cut}", "after: it needs either connected"),
        ("- {after: {connected: n, times: 3}, do: cut}", "after.times: not a known field"),
        ("- {after: {messages: 0}, do: cut}", "after.messages: Expected `int` >= 1"),
        ("- {after: {messages: 3, nth: 3}, do: cut}", "after.nth: messages says already"),
        ("- {after: {messages: 3, resource-regex: (}, do: cut}", "after.resource-regex: '(' is not"),
        ("at: 5", "document 1 (line 1) is no list of steps"),
        ("- {at: 0, do: cut}\n---\nx", "document 2 (line 3) is no list of steps"),
        ("", "it has no steps"),
        ("[]", "it has no steps"),
        ("- {at: 1, do: cut", "as YAML: line 1"),
        ("- &a {at: 1, do: cut}\n- *a", "line 2: *a is an alias"),
        ("[[[[[[[[[[[[]]]]]]]]]]]]", "nested deeper than 10"),
        ("- {at: !!python/object:os.system 1, do: cut}", "could not determine a constructor"),
        ("- {at: 2020-13-45, do: cut}", "document 1, step 1 (line 1): month must be"),
        ("\x00", "as YAML"),
    ],
)
def test_a_mistake_is_named_by_its_place(text: str, words: str) -> None:
    found = complaint(text)
    assert "f.yaml" in found
    assert words in found


def test_all_wrong_steps_are_told_at_once() -> None:
    found = complaint(
        """
        - {at: 1, do: snip}
        - {at: 1, do: cut}
        - {at: x, do: cut}
        """
    )
    assert found.splitlines()[0] == "cannot use the faults in f.yaml:"
    assert [line.split(":")[0].strip() for line in found.splitlines()[1:]] == [
        "document 1, step 1 (line 2)",
        "document 1, step 3 (line 4)",
    ]


def test_too_many_steps_are_refused() -> None:
    assert f"over {MAX_STEPS} steps" in complaint("- {at: 0, do: cut}\n" * (MAX_STEPS + 1))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file"):
        load_scenario(tmp_path / "none.yaml")


def test_a_file_that_is_too_long_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="over 262144 bytes"):
        load_scenario(tmp_path / "long.yaml")
    (tmp_path / "raw.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 0"):
        load_scenario(tmp_path / "raw.yaml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KINDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("at", "after", "do", "connected", "messages", "wait", "node", "nth", *KINDS)), inner
        )
    ),
    max_leaves=12,
)


@given(st.text(max_size=200) | st.lists(JSON, max_size=4).map(lambda value: str(yaml.safe_dump(value))))
def test_any_text_is_a_scenario_or_a_named_mistake(text: str) -> None:
    with suppress(ConfigError):
        assert read_scenario(text, "f.yaml")


def test_the_scenario_in_the_readme_is_one() -> None:
    readme = Path(__file__).parents[4] / "cloudhub_stub" / "faults" / "README.md"
    steps = read_scenario(readme.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0], "README.md")
    assert [step.fault.fault for step in steps] == ["cut", "half-open", "restart", "drop"]
