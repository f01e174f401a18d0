"""What keepers that are gone left in the kernel, out of what nft lists."""

from pathlib import Path

from edgecore.modules.edgemesh.intercept.leftovers import left_behind, leftover_tables, our_tables, table_name

LISTED = """\
table ip nat
table ip edgecore_12_9.251.0.0
table ip edgecore_34_9.251.0.0
table ip edgecore_12_9.252.0.0
table ip edgecore_56_9.252.0.0
table inet edgecore_56_9.251.0.0
table ip my_edgecore_7_9.251.0.0
table ip edgecore_7
"""


def test_tables_named_for_a_keeper_and_a_subnet_are_ours() -> None:
    assert our_tables(LISTED) == [
        "edgecore_12_9.251.0.0",
        "edgecore_34_9.251.0.0",
        "edgecore_12_9.252.0.0",
        "edgecore_56_9.252.0.0",
    ]
    assert our_tables("") == []


def test_a_table_for_the_subnet_that_we_keep_is_left_over_whatever_process_has_its_number_now() -> None:
    assert leftover_tables(LISTED, table_name(12, "9.251.0.0/16")) == ["edgecore_34_9.251.0.0"]
    assert leftover_tables(LISTED, table_name(1, "9.250.0.0/16")) == []


def test_a_table_for_another_subnet_is_left_behind_when_its_keeper_is_gone(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    assert left_behind(LISTED, "9.251.0.0/16", tmp_path) == [
        "edgecore_12_9.251.0.0",
        "edgecore_34_9.251.0.0",
        "edgecore_56_9.252.0.0",
    ]
