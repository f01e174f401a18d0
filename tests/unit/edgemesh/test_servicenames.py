from collections.abc import Callable

import pytest

from edgecore import kube
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.servicenames import meant, no_service
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable
from tests.support.upstreams import fresh_table

WEB, SHOP_WEB, CART = ServiceKey("default", "web"), ServiceKey("shop", "web"), ServiceKey("shop", "cart")


@pytest.fixture
def table(make_service: Callable[..., kube.Service], make_named_pod: Callable[..., kube.Pod]) -> ServiceTable:
    table = fresh_table()
    for key in (WEB, SHOP_WEB, CART):
        entry = table.put(key, make_service(key, ("http", 80, 80)))
    table.name_pods(entry, {"cart-0": (make_named_pod("cart-0", "cart"),)})
    table.set_address(CART, "127.251.0.1")
    table.set_address(CART.pod("cart-0"), "127.251.0.2")
    return table


@pytest.mark.parametrize(
    ("text", "namespace", "key"),
    [
        ("web", "", WEB),
        ("web", "shop", SHOP_WEB),
        ("cart", "", CART),
        ("shop/web", "", SHOP_WEB),
        ("shop/web", "default", SHOP_WEB),
        ("web.shop", "", SHOP_WEB),
        ("Web.Shop.svc", "", SHOP_WEB),
        ("web.shop.svc.cluster.local.", "", SHOP_WEB),
        ("cart-0.cart.shop", "", CART),
        ("cart-0.cart.shop.svc.cluster.local", "", CART),
        ("shop/cart-0.cart", "", CART),
        ("127.251.0.1", "", CART),
        ("127.251.0.2", "", CART),
    ],
)
def test_a_service_is_found_as_people_write_it(table: ServiceTable, text: str, namespace: str, key: ServiceKey) -> None:
    found = meant(table, text, namespace)
    assert isinstance(found, ServiceEntry)
    assert found.key == key


@pytest.mark.parametrize(
    ("text", "namespace", "near"),
    [
        ("cart", "default", ("shop/cart",)),
        ("kart.shop", "", ("shop/cart",)),
        ("carrt", "shop", ("shop/cart",)),
        ("wep.lab", "", ("default/web", "shop/web")),
        ("shop/", "", ()),
        ("192.0.2.1", "", ()),
        ("", "", ()),
        ("......", "", ()),
    ],
)
def test_of_what_there_is_not_the_names_near_to_it_are_told(
    table: ServiceTable, text: str, namespace: str, near: tuple[str, ...]
) -> None:
    assert meant(table, text, namespace) == near


def test_the_refusal_names_them_or_says_how_to_list_all(table: ServiceTable) -> None:
    assert no_service(table, "kart.shop") == "cannot show kart.shop: there is no such service; there is shop/cart"
    assert no_service(table, "x", "y") == (
        "cannot show x in y: there is no such service; `edgecore services` lists those that there are"
    )


def test_just_after_the_start_one_is_told_to_wait(table: ServiceTable) -> None:
    table.complete = False
    assert no_service(table, "kart").endswith("the node has just started and does not know all services yet; try again")
