import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.metadata.finding import ERROR, INFO, SEVERITIES, WARNING
from edgecore.metadata.lint import check_database, check_rows
from edgecore.metadata.row import MetaRow
from edgecore.modules.edgemesh.fakeip import AddressRow
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.metamanager.tables import Origin
from edgecore.store.databasefile import DatabaseFile
from godatabase import DATA, write_go_database

METADATA = {"name": "a", "namespace": "default"}
Make = Callable[..., dict[str, Any]]


def found(*rows: tuple[str, str, Any], addresses: tuple[AddressRow, ...] = ()) -> dict[str, tuple[str, str]]:
    """Return code to severity and key of what is wrong with rows of key, type and value."""
    made = []
    for key, row_type, value in rows:
        data = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        made.append(MetaRow(key, row_type, data, len(data or b"")))
    findings = check_rows(made, addresses).findings
    assert all(finding.text and finding.advice for finding in findings)
    return {finding.code: (finding.severity, finding.key) for finding in findings}


def owned(address: str, name: str, released_at_ms: int | None = None) -> AddressRow:
    return AddressRow(address, ServiceKey("default", name), released_at_ms)


@pytest.mark.parametrize(
    ("key", "row_type", "value", "code"),
    [
        ("default/pod/a", "pod", b"{", "no_json"),
        ("default/pod/a", "pod", None, "no_json"),
        ("default/pod/a", "pod", b"\xff\xfe", "no_json"),
        ("default/pod/a", "pod", [1], "wrong_value"),
        ("default/pod/a", "pod", {"metadata": {"name": "b", "namespace": "default"}}, "wrong_value"),
        ("default/service/a", "service", {"metadata": {"name": "a", "namespace": "other"}}, "wrong_value"),
        ("default/service/a", "service", {"spec": {"ports": "none"}}, "wrong_value"),
        ("default/service/A!", "service", {"metadata": {"name": "A!", "namespace": "default"}}, "wrong_value"),
        ("default/endpoints/a", "endpoints", {"subsets": 1}, "wrong_value"),
        ("default/podlist/a", "podlist", {"items": []}, "wrong_value"),
        ("default/podlist/a", "podlist", [{"metadata": 1}], "wrong_value"),
        ("default/listener/default.a", "listener", "9.251.0.1\n", "wrong_value"),
        ("default/listener/default.a", "listener", {"ip": 1}, "wrong_value"),
        ("default/podstatus/a", "podstatus", {"Name": "b", "Status": {}}, "wrong_value"),
        ("default/podstatus/a", "podstatus", {"Name": "a"}, "wrong_value"),
        ("default/nodestatus/n", "nodestatus", {"UID": "1"}, "wrong_value"),
        ("default/configmap/c", "configmap", {"data": {}}, "wrong_value"),
        ("default/node/n", "node", "OK", "ok_stored"),
        ("default/pod/a", "pod", "OK", "ok_stored"),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_an_error(key: str, row_type: str, value: Any, code: str) -> None:
    assert found((key, row_type, value))[code] == (ERROR, key)


@pytest.mark.parametrize(
    ("key", "row_type", "code", "severity"),
    [
        ("node", "node", "wrong_key", WARNING),
        ("a/b/c/d", "volume", "wrong_key", WARNING),
        ("//", "volume", "wrong_key", WARNING),
        ("default/pod/a", "volume", "wrong_type", WARNING),
        ("a/servicelist/b", "servicelist", "list_stored", WARNING),
        ("a/rule/b", "rule", "unknown_type", INFO),
    ],
)
def test_a_key_or_type_that_does_not_fit_is_told(key: str, row_type: str, code: str, severity: str) -> None:
    assert found((key, row_type, []))[code] == (severity, key)


@pytest.mark.parametrize(
    ("key", "row_type", "value"),
    [
        ("default/podlist/a", "podlist", None),
        ("default/configmap/c", "configmap", {"metadata": {"name": "c", "namespace": "default"}}),
        ("default/node/n", "node", {"metadata": {"name": "n"}}),
        ("default/nodestatus/n", "nodestatus", {"UID": "1", "Status": {}}),
        ("default/volume/v", "volume", "OK?"),
    ],
)
def test_a_row_that_is_what_it_should_be_is_not_told_of(key: str, row_type: str, value: Any) -> None:
    data = b"null" if value is None else value
    assert {code for code in found((key, row_type, data)) if not code.endswith("_without_service")} == set()


def test_a_service_whose_fake_ip_is_in_our_table_or_in_a_listener_row_has_one(service: Make) -> None:
    rows = [(f"default/service/{name}", "service", service(name)) for name in "ab"]
    listener = ("default/listener/default.b", "listener", "9.251.0.1")
    assert found(*rows, listener, addresses=(owned("127.251.0.1", "a"),)) == {}


def test_a_service_without_fake_ip_is_a_warning(service: Make) -> None:
    rows = [(f"default/service/{name}", "service", service(name)) for name in "ab"]
    assert found(*rows, addresses=(owned("127.251.0.1", "a"),)) == {"fake_ip_missing": (WARNING, "default/service/b")}


def test_an_external_name_needs_no_fake_ip_and_a_pod_with_a_name_may_have_one(service: Make) -> None:
    external = service("b") | {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    rows = [("default/service/a", "service", service("a")), ("default/service/b", "service", external)]
    assert found(*rows, addresses=(owned("127.251.0.1", "a"), owned("127.251.0.2", "web-0.a"))) == {}


def test_an_address_that_was_given_back_is_nobodys(service: Make) -> None:
    rows = [(f"default/service/{name}", "service", service(name)) for name in "ab"]
    rows.append(("default/listener/default.b", "listener", "9.251.0.2"))
    assert found(*rows, addresses=(owned("127.251.0.1", "a", 5),)) == {
        "fake_ip_missing": (WARNING, "default/service/a")
    }


def test_a_file_with_which_the_mesh_never_ran_is_told_of_once(service: Make) -> None:
    rows = [(f"default/service/{name}", "service", service(name)) for name in "abc"]
    assert found(*rows) == {"no_fake_ips": (INFO, "")}


@pytest.mark.parametrize("addresses", [(), (owned("9.251.0.1", "a"),)])
def test_a_fake_ip_of_two_services_is_an_error(service: Make, addresses: tuple[AddressRow, ...]) -> None:
    rows: list[tuple[str, str, Any]] = []
    for name in "ab":
        rows.append((f"default/service/{name}", "service", service(name)))
        rows.append((f"default/listener/default.{name}", "listener", "9.251.0.1"))
    assert found(*rows, addresses=addresses)["fake_ip_doubled"] == (ERROR, "default/service/b")


def test_listener_rows_of_another_pool_that_are_alike_matter_to_the_go_program_alone(service: Make) -> None:
    rows: list[tuple[str, str, Any]] = []
    for name in "ab":
        rows.append((f"default/service/{name}", "service", service(name)))
        rows.append((f"default/listener/default.{name}", "listener", "9.251.0.1"))
    addresses = (owned("127.251.0.1", "a"), owned("127.251.0.2", "b"))
    assert found(*rows, addresses=addresses) == {"listener_doubled": (WARNING, "default/listener/default.b")}


def test_a_service_with_two_addresses_and_an_address_without_service_are_told(service: Make) -> None:
    row = ("default/service/a", "service", service("a"))
    addresses = (owned("127.251.0.1", "a"), owned("127.251.0.2", "a"), owned("127.251.0.3", "gone"))
    assert found(row, addresses=addresses) == {
        "many_fake_ips": (WARNING, "default/service/a"),
        "address_without_service": (INFO, ""),
    }


@pytest.mark.parametrize(
    ("key", "row_type", "value", "code", "severity"),
    [
        ("default/listener/default.a", "listener", "9.251.0.1", "listener_without_service", WARNING),
        ("default/podlist/a", "podlist", [], "podlist_without_service", WARNING),
        ("default/endpoints/a", "endpoints", {"metadata": METADATA}, "endpoints_without_service", INFO),
        ("default/podstatus/a", "podstatus", {"Name": "a", "Status": {}}, "podstatus_without_pod", WARNING),
    ],
)  # fmt: skip
def test_what_belongs_to_something_that_is_not_there_is_told(
    key: str, row_type: str, value: Any, code: str, severity: str
) -> None:
    assert found((key, row_type, value)) == {code: (severity, key)}


def test_a_pod_that_no_service_selects_is_information(service: Make, pod: Make) -> None:
    selecting = ("default/service/web", "service", service("web", app="web", tier="front"))
    listener = ("default/listener/default.web", "listener", "9.251.0.1")
    status = ("default/podstatus/p", "podstatus", {"Name": "p", "Status": {}})
    for labels, expected in (
        ({"app": "web", "tier": "front", "x": "y"}, {}),
        ({"app": "web"}, {"pod_without_service": (INFO, "default/pod/p")}),
        ({}, {"pod_without_service": (INFO, "default/pod/p")}),
    ):
        assert found(selecting, listener, status, ("default/pod/p", "pod", pod("p", **labels))) == expected


def test_a_pod_whose_status_nobody_reported_is_information(pod: Make) -> None:
    assert found(("default/pod/p", "pod", pod("p")))["pod_without_status"] == (INFO, "default/pod/p")


def test_two_nodes_in_one_file_are_information() -> None:
    rows = [(f"default/nodestatus/{name}", "nodestatus", {"UID": "1", "Status": {}}) for name in "ab"]
    assert found(*rows) == {"many_nodes": (INFO, "default/nodestatus/a")}


def test_what_matters_most_comes_first() -> None:
    rows = [
        MetaRow("a/rule/b", "rule", b"1", 1),
        MetaRow("x", "pod", b"{", 1),
        MetaRow("d/podlist/s", "podlist", b"", 0),
    ]
    severities = [finding.severity for finding in check_rows(rows).findings]
    assert severities == sorted(severities, key=SEVERITIES.index)
    assert len(set(severities)) == 3


def test_a_whole_database_is_looked_over(database: Any, origin: Origin, service: Make) -> None:
    database.put("default/service/a", "service", service("a"), origin)
    database.connection.execute("INSERT INTO edgemesh_address VALUES ('127.251.0.1', 'default', 'a', NULL)")
    assert check_database(database.rows) == ({"service": 1}, [])
    database.connection.execute("INSERT INTO meta VALUES (x'ff', 'pod', '{}')")
    database.connection.execute("DELETE FROM meta WHERE type = 'service'")
    codes = [finding.code for finding in check_database(database.rows).findings]
    assert codes == ["wrong_key", "address_without_service", "lost_provenance"]


def test_a_row_that_another_program_wrote_last_is_information(database: Any, origin: Origin, service: Make) -> None:
    for name in "ab":
        database.put(f"default/service/{name}", "service", service(name), origin)
    database.connection.execute("UPDATE meta SET value = replace(value, '80', '81') WHERE key LIKE '%b'")
    finding = check_database(database.rows).findings[-1]
    assert (finding.severity, finding.code, finding.text[:6]) == (INFO, "written_by_others", "1 rows")


@pytest.mark.parametrize("pool", ["127.251.0.0/16", "no pool"])
def test_addresses_of_another_pool_than_that_used_last_are_information(
    database: Any, origin: Origin, service: Make, pool: str
) -> None:
    database.connection.execute("INSERT INTO edgemesh_pool VALUES (1, ?)", (pool,))
    database.put("default/service/a", "service", service("a"), origin)
    database.put("default/listener/default.a", "listener", '"127.251.0.1"', origin)
    database.put("default/listener/default.gone", "listener", '"9.251.0.1"', origin)
    database.connection.execute("INSERT INTO edgemesh_address VALUES ('127.252.0.1', 'default', 'b', 1)")
    findings = {finding.code: finding.severity for finding in check_database(database.rows).findings}
    if pool == "no pool":
        assert findings == {"listener_without_service": WARNING}
    else:
        assert findings == {"address_of_other_pool": INFO, "listener_of_other_pool": INFO}


@pytest.mark.parametrize(
    ("dump", "codes"),
    [("b", []), ("c", ["podlist_without_service", "podlist_without_service", "podstatus_without_pod"])],
)
def test_what_a_go_edgecore_wrote_is_in_order_but_for_what_it_leaves_over(
    tmp_path: Path, dump: str, codes: list[str]
) -> None:
    path = tmp_path / "edgecore.db"
    write_go_database(path, DATA / f"{dump}_edgecore_db.txt")
    with DatabaseFile(path) as file:
        assert [finding.code for finding in check_database(file.rows).findings] == codes


NAMES = st.sampled_from(["default", "a", "", "default.a"])
TYPES = st.sampled_from(["pod", "service", "endpoints", "podlist", "podstatus", "nodestatus", "node", "listener", "x"])
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["OK", "9.251.0.1", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "name", "namespace", "spec", "selector", "labels", "Status"]), inner
        )
    ),
    max_leaves=12,
)
ANY_ROW = st.builds(
    lambda key, row_type, value: MetaRow(key, row_type, value, len(value or b"")),
    st.builds("{}/{}/{}".format, NAMES, TYPES, NAMES) | st.text(max_size=8),
    TYPES | st.text(max_size=4),
    st.none() | st.binary(max_size=8) | SHAPES.map(lambda value: json.dumps(value).encode()),
)
ANY_ADDRESS = st.builds(
    AddressRow,
    st.sampled_from(["9.251.0.1", "1.2.3.4", "?"]),
    st.builds(ServiceKey, NAMES, NAMES),
    st.none() | st.integers(),
)


@given(st.lists(ANY_ROW), st.lists(ANY_ADDRESS))
def test_no_rows_are_so_wrong_that_looking_at_them_fails(rows: list[MetaRow], addresses: list[AddressRow]) -> None:
    report = check_rows(rows, addresses)
    assert sum(report.rows.values()) == len(rows)
    json.dumps([finding.document() for finding in report.findings])
