"""The dashboards are what make.py makes, and what Grafana's own model of a dashboard takes."""

import json
import re
import runpy
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from stocksync.observe.declared import METRICS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/grafana/dashboards"
NAMES = ("account", "overview")
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
ALERTS = re.findall(r"^### (Stocksync\w+)$", RUNBOOK, re.MULTILINE)
register_default_plugins()


def dashboard(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def panels():
    return [
        pytest.param(panel, id=f"{name}: {panel['title']}") for name in NAMES for panel in dashboard(name)["panels"]
    ]


def test_the_files_are_what_is_made():
    made = runpy.run_path(str(ROOT / "deploy/grafana/make.py"))["dashboards"]()
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == made


@pytest.mark.parametrize("name", NAMES)
def test_grafanas_own_model_knows_every_key(name):
    given = dashboard(name)
    for annotation in given["annotations"]["list"]:
        for key in ("expr", "step", "titleFormat", "tagKeys", "useValueForTime"):  # the Prometheus plugin's own
            del annotation[key]
    known = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert lost(given, known) == []


def lost(given, known, path=""):
    """Name what of `given` the model did not keep."""
    if isinstance(given, dict):
        gone = [f"{path}.{key}" for key in given.keys() - known.keys()] if isinstance(known, dict) else [path]
        return gone + [
            each for key in given.keys() & known.keys() for each in lost(given[key], known[key], f"{path}.{key}")
        ]
    if isinstance(given, list):
        if not isinstance(known, list) or len(given) != len(known):
            return [path]
        return [each for at, pair in enumerate(zip(given, known, strict=True)) for each in lost(*pair, f"{path}[{at}]")]
    return [] if given == known else [f"{path}: {given!r} is {known!r}"]


@pytest.mark.parametrize("panel", panels())
def test_a_panel_has_unit_limits_words_and_its_place_in_the_runbook(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] == "${datasource}"
    for link in panel["links"]:
        anchor = link["url"].partition("#")[2]
        assert not anchor or anchor in map(str.lower, ALERTS)


def test_every_metric_of_ours_is_on_a_panel_or_is_said_not_to_be():
    shown = set(re.findall(r"\bstocksync_[a-z_]+", "".join((FOLDER / f"{name}.json").read_text() for name in NAMES)))
    series = {m.full_name: m for m in METRICS}
    known = {name.removesuffix(suffix) for name in shown for suffix in ("_bucket", "_sum", "_count")} & set(series)
    assert {
        name for name in shown if name not in series and re.sub("_(bucket|sum|count)$", "", name) not in series
    } == set()
    assert set(series) - known == {"stocksync_build_info"}


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_lie_on_each_other(name):
    taken = set()
    for panel in dashboard(name)["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
