"""What EdgeMesh keeps in the node's SQLite file: the fake IPs of services and pods, and the pool that was used last.

The Go edgecore keeps fake IPs as rows of type ``listener`` in the table ``meta``, and so do we, through MetaManager, as
long as no row with an address of another pool is there: such a row is the Go edgecore's and stays as it is. What holds
for us is this table.
"""

from edgecore.modules.edgemesh.fakeip import AddressRow
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.store.store import Statement, Store

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE IF NOT EXISTS edgemesh_address (
        address TEXT NOT NULL PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        released_at_ms INTEGER
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS edgemesh_pool (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        subnet TEXT NOT NULL
    )
    """,
)


def read_addresses(store: Store) -> list[AddressRow]:
    """Return all rows: those of services that have them, the newest first; then those given back, the oldest first.

    Raises ``StoreError``.
    """
    rows = store.rows(
        "SELECT address, namespace, name, released_at_ms FROM edgemesh_address ORDER BY released_at_ms, rowid DESC",
    )
    return [AddressRow(address, ServiceKey(namespace, name), at_ms) for address, namespace, name, at_ms in rows]


def address_taken(service: ServiceKey, address: str) -> Statement:
    """Enter that ``service`` has ``address``, whoever had it before."""
    return Statement(
        "INSERT OR REPLACE INTO edgemesh_address (address, namespace, name, released_at_ms) VALUES (?, ?, ?, NULL)",
        (address, service.namespace, service.name),
    )


def address_released(service: ServiceKey, address: str, at_ms: int) -> Statement:
    """Enter that ``service`` gave ``address`` back; does nothing if another has it by now."""
    return Statement(
        "UPDATE edgemesh_address SET released_at_ms = ? WHERE address = ? AND namespace = ? AND name = ?",
        (at_ms, address, service.namespace, service.name),
    )


def address_forgotten(address: str) -> Statement:
    """Remove the row of ``address``."""
    return Statement("DELETE FROM edgemesh_address WHERE address = ?", (address,))


def read_pool(store: Store) -> str | None:
    """Return the subnet of the pool that was used last. Raises ``StoreError``."""
    rows = store.rows("SELECT subnet FROM edgemesh_pool")
    return rows[0][0] if rows else None


def pool_used(subnet: str) -> Statement:
    """Enter which pool is in use."""
    return Statement("INSERT OR REPLACE INTO edgemesh_pool (id, subnet) VALUES (1, ?)", (subnet,))
