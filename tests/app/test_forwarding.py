"""Whom a stand-by asks: the address that the lease bears, and a loopback only on its own machine."""

import pytest

from stocksync.app.forwarding import address_of, reachable
from stocksync.ports import LeaseHolder


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://10.0.0.5:9464", {"shop-1": True, "shop-2": True}),
        ("http://127.0.0.1:9464", {"shop-1": True, "shop-2": False}),
        ("http://[::1]:9464", {"shop-1": True, "shop-2": False}),
        ("", {"shop-1": False, "shop-2": False}),
    ],
)
def test_a_loopback_is_asked_on_its_own_machine_alone(address, asked):
    holder = LeaseHolder("shop-1:4242:ab", address)
    assert {host: reachable(holder, f"{host}:17:cd") for host in asked} == asked


def test_nobody_asks_itself():
    assert not reachable(LeaseHolder("shop-1:4242:ab", "http://10.0.0.5:9464"), "shop-1:4242:ab")


def test_an_address_that_means_all_is_told_by_the_machines_name(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "shop-1")
    assert address_of("0.0.0.0", 9464) == "http://shop-1:9464"
    assert address_of("::1", 9464) == "http://[::1]:9464"
