import sqlite3
from contextlib import closing
from pathlib import Path

from edgecore.store.kubeedge import SCHEMA, TABLES

DUMP = Path(__file__).parents[2] / "data" / "b_edgecore_db.txt"


def test_the_schema_is_that_of_the_go_program_to_the_letter() -> None:
    recorded = DUMP.read_text().split("\n\n-- table ")[0]
    with closing(sqlite3.connect(":memory:")) as connection:
        for text in SCHEMA:
            connection.execute(text)
        made = [text for (text,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    assert "".join(f"{text};\n" for text in made).rstrip() == recorded.rstrip()


def test_all_four_tables_are_named() -> None:
    assert sorted(TABLES) == ["device", "device_attr", "device_twin", "meta"]
