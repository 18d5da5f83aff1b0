"""What is deployed is judged by those who read it: hadolint, Docker Compose, shellcheck, and the lock it follows."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stocksync.config import HttpConfig

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STOCKSYNC_")}
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def judge(name: str) -> Path:
    """Give a tool of the development environment; Docker Compose is not made for every system."""
    if not (BIN / name).exists():
        pytest.skip(f"{name} is not made for this system")
    return BIN / name


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    done = run(judge("docker-compose"), "--profile", "demo", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = run(judge("hadolint"), "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_compose_starts_what_is_needed_first_and_shows_nothing_to_the_network(services: dict[str, Any]) -> None:
    assert not re.search(r"^version:", COMPOSE, re.MULTILINE)
    assert set(services) == {
        "stocksync", "migrate", "postgres", "prometheus", "alertmanager", "grafana", "simulator",
    }  # fmt: skip
    waits = services["stocksync"]["depends_on"]
    assert waits["migrate"]["condition"] == "service_completed_successfully"
    assert waits["simulator"] == {"condition": "service_healthy", "required": False}
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name, service in services.items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
        assert service["read_only"], name
        assert re.search(r":v?\d+(\.\d+)+", service["image"]), f"{name} has no pinned tag"
    for name in set(services) - {"postgres"}:
        assert services[name]["cap_drop"] == ["ALL"], name


def test_the_fleet_starts_its_schedules_first_and_is_hardened_alike() -> None:
    done = run(judge("docker-compose"), "--profile", "fleet", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert {"temporal", "schedules", "worker", "serve", "simulator", "postgres"} <= set(services)
    assert services["worker"]["scale"] == 2
    for name in ("worker", "serve"):
        assert services[name]["depends_on"]["schedules"]["condition"] == "service_completed_successfully"
    for name in ("temporal", "schedules", "worker", "serve"):
        assert services[name]["profiles"] == ["fleet"]
        assert (services[name]["read_only"], services[name]["cap_drop"]) == (True, ["ALL"])
        assert all(port["host_ip"] == "127.0.0.1" for port in services[name].get("ports", []))
    assert services["temporal"]["image"].rpartition(":")[2] in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_without_the_profile_there_is_no_simulator() -> None:
    done = run(judge("docker-compose"), "config", "--services")
    assert "simulator" not in done.stdout.split()
    assert "stocksync" in done.stdout.split()


def test_what_compose_mounts_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or Path(mount["source"]).exists()
    files = re.findall(r"file: \"?(?:\$\{\w+:-)?(\./[^}\"\s]+)(?:\})?([^\"\s}]*)", COMPOSE)
    assert len(files) == 8
    for folder, name in files:
        assert (ROOT / (folder + name)).is_file()


def test_the_parts_of_the_lock_the_bill_of_materials_and_the_licences_are_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "deploy/supply_chain.py"))["files"]()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make sbom"
    known = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert set((ROOT / "deploy/docker/requirements.lock").read_text(encoding="utf-8").splitlines()[1:]) <= set(known)


def test_every_component_has_a_version_and_a_licence_that_is_known() -> None:
    document = json.loads((ROOT / "deploy/sbom.cdx.json").read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    names = {each["name"].lower() for each in document["components"]}
    assert {"aiohttp", "sqlalchemy", "asyncpg", "asyncmy", "typer"} <= names
    assert not names & {"pytest", "ruff", "mypy"}
    for each in document["components"]:
        (licence,) = each["licenses"]
        assert re.fullmatch(r"[A-Za-z0-9.-]+( (AND|OR) [A-Za-z0-9.-]+)*", licence["expression"]), each["name"]
    references = {each["bom-ref"] for each in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in document["dependencies"]} == references
    assert {one for each in document["dependencies"] for one in each["dependsOn"]} <= references


def test_the_quadlet_and_the_image_agree() -> None:
    quadlet = (ROOT / "deploy/podman/stocksync.container").read_text(encoding="utf-8")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for words in ("ReadOnly=true", "DropCapability=all", "NoNewPrivileges=true", "127.0.0.1:9464:9464"):
        assert words in quadlet
    assert "USER 10001:10001" in dockerfile
    assert "uid=10001" in quadlet
    # systemd waits for Podman, and Podman for the daemon, which drains for half a minute: else it is killed meanwhile.
    (podman,) = re.findall(r"--stop-timeout=(\d+)", quadlet)
    (systemd,) = re.findall(r"TimeoutStopSec=(\d+)", quadlet)
    assert 30 < int(podman) < int(systemd)


def test_what_the_unit_names_as_its_documentation_is_there() -> None:
    unit = (ROOT / "deploy/systemd/stocksync.service").read_text(encoding="utf-8")
    (named,) = re.findall("^Documentation=(.*)$", unit, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert named.split() == ["man:stocksync(1)", f"http://{HttpConfig().listen}/runbook"]
    assert "share/man/man1/stocksync.1" in shipped.values()
    assert "share/man/man1/stocksync.1" in (ROOT / "docs/deployment.md").read_text(encoding="utf-8")


def test_prometheus_takes_what_compose_mounts(tmp_path: Path) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    for file in ("deploy/compose/prometheus.yml", "deploy/prometheus/stocksync.rules.yml"):
        shutil.copy(ROOT / file, tmp_path)
    done = run(program, "check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
