"""Hundreds of accounts: each is looked at a few times, and never beside each of the others."""

from stocksync.app.wiring import Plan
from stocksync.config import build, tenancy

COUNT = 60
MOST_LOOKS = 6


def test_the_work_of_many_accounts_grows_with_their_number(monkeypatch):
    looks = 0
    real = tenancy.parse

    def counted(url, where):
        nonlocal looks
        looks += 1
        return real(url, where)

    monkeypatch.setattr(tenancy, "parse", counted)
    accounts = [
        {
            "name": f"shop-{number}",
            "tenant": f"tenant-{number}",
            "auth": {"secret_env": "KEY"},
            "target": {"url_env": "TARGET", "table": f"stock_{number}"},
        }
        for number in range(COUNT)
    ]
    config = build({"accounts": accounts}, {"KEY": "k", "TARGET": "postgresql://shop@db.example/shop"})
    plans = Plan.all_of(config)
    assert len(plans) == COUNT
    assert looks <= MOST_LOOKS * COUNT
