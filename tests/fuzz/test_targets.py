"""Every target with its corpus, and with what hypothesis makes of it; and that every parser has a target."""

from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings

from tests.fuzz import varied
from tests.fuzz.target import LONGEST_BYTES, Target, name_of
from tests.fuzz.targets import all_targets
from tests.fuzz.variants import variants
from tests.fuzz.varied import Finding, check, inputs_of

ROOT = Path(__file__).parents[2]
TARGETS = all_targets()
EXAMPLES = 40
CORPUS_BYTES = 1024 * 1024
"""A corpus in the repository is a beginning, not an archive."""

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structlog._config._CONFIG, "default_processors", [_dropped])


def _dropped(*_: object) -> None:
    raise structlog.DropEvent


@each_target
def test_nothing_is_found_with_the_corpus(target: Target) -> None:
    inputs = inputs_of(target)
    assert len(inputs) > 1, f"python -m tests.fuzz --seed-corpus {target.name}"
    for data in inputs:
        check(target, data)


@pytest.mark.timeout(900)
@each_target
def test_nothing_is_found_with_variants_of_the_corpus(target: Target, scale: int) -> None:
    @settings(max_examples=EXAMPLES * scale, suppress_health_check=list(HealthCheck))
    @given(variants(inputs_of(target)))
    def run(data: bytes) -> None:
        check(target, data)

    run()


def test_an_input_that_raises_is_kept_and_the_way_to_run_it_again_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(data: bytes) -> None:
        assert b"\xff" not in data

    monkeypatch.setattr(varied, "FOUND", tmp_path)
    target = Target("some-parser", run, "nobody", (), list)
    with pytest.raises(Finding) as finding:
        check(target, b"a\xff")
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"a\xff"
    assert f"python -m tests.fuzz some-parser --input {file}" in str(finding.value)


def test_a_corpus_is_small_and_its_files_are_named_after_their_bytes_or_their_story() -> None:
    paths = [path for target in TARGETS.values() for path in target.corpus()]
    assert sum(path.stat().st_size for path in paths) < CORPUS_BYTES
    for path in paths:
        assert path.suffix == ".bin", path
        assert path.stat().st_size <= LONGEST_BYTES, path
        assert path.name.startswith("found-") or path.name == f"seed-{name_of(path.read_bytes())}.bin", path


def test_every_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in (ROOT / "tests" / "fuzz" / "corpus").iterdir()} == set(TARGETS)
