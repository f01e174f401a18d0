"""Where the demonstration finds what it plays."""

from importlib.metadata import PackageNotFoundError, PackagePath
from pathlib import Path

import pytest

from edgecore.demo import examples
from edgecore.demo.examples import examples_folder
from edgecore.errors import ConfigError


def test_in_a_clone_they_are_those_of_the_clone() -> None:
    assert (examples_folder() / "mapper/model.yaml").is_file()


def test_installed_they_are_where_the_wheel_has_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed(PackagePath):
        def locate(self) -> Path:
            return tmp_path / "share/edgecore/examples/recordings/b2_deletes.jsonl"

    named = [Installed("edgecore/app.py"), Installed("../../../share/edgecore/examples/recordings/b2_deletes.jsonl")]
    monkeypatch.setattr(examples, "files", lambda _: named)
    assert examples_folder(tmp_path / "no-clone") == tmp_path / "share/edgecore/examples"


@pytest.mark.parametrize("is_installed", [True, False])
def test_where_there_are_none_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    def files(_: str) -> None:
        if not is_installed:
            raise PackageNotFoundError

    monkeypatch.setattr(examples, "files", files)
    with pytest.raises(ConfigError, match="install it by pip"):
        examples_folder(tmp_path)
