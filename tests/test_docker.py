"""The containers' files, as far as they can be checked without an engine: that they fit together and keep no secret."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cli import app

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
IMAGES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def test_every_service_has_an_image_or_is_built_from_a_file_that_is_there() -> None:
    assert set(COMPOSE["services"]) == {"api", "worker", "prepare", "qdrant"}
    for name, service in COMPOSE["services"].items():
        assert ("image" in service) != ("build" in service), name
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()
        else:
            assert re.search(r":v\d+\.\d+\.\d+$", service["image"]), "a version, not whatever is newest"


def test_secrets_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name, value in re.findall(r"(\w*(?:KEY|PASSWORD|SECRET|TOKEN)\w*): (.+)", text):
        assert value.startswith("${QDRANT_API_KEY:?"), name


def test_the_server_can_do_what_is_asked_of_it() -> None:
    from retrieval.stores import qdrant

    image = COMPOSE["services"]["qdrant"]["image"]
    version = tuple(int(part) for part in image.partition(":v")[2].split(".")[:2])
    least = re.search(r"Qdrant (\d+)\.(\d+) or later", qdrant.__doc__ or "")
    assert least
    assert version >= tuple(map(int, least.groups()))


def test_ports_are_published_on_loopback_unless_told_otherwise() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert published == ["${TANDEM_ADDRESS:-127.0.0.1}:8080:8080"]


def test_volumes_that_are_used_are_declared() -> None:
    used = {volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])


def test_variables_are_settings_that_there_are() -> None:
    from dataclasses import fields

    from retrieval.settings import Settings

    known = {f"TANDEM_{field.name.upper()}" for field in fields(Settings)} | {"FORWARDED_ALLOW_IPS"}  # Uvicorn's
    assert set(COMPOSE["x-tandem"]["environment"]) <= known


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_copies_what_is_there_runs_as_nobody_special_and_ends_on_sigterm(image: Path) -> None:
    text = image.read_text(encoding="utf-8")
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in allowed, source
    assert re.search(r"^USER tandem$", text, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in text
    command = re.search(r'^CMD \["tandem", "(\w+)"', text, re.MULTILINE)
    assert command is not None
    from typer.main import get_command

    assert command[1] in getattr(get_command(app), "commands", {})


def test_the_service_has_no_torch() -> None:
    assert "[train]" not in (ROOT / "docker" / "api.Dockerfile").read_text(encoding="utf-8")
    assert "[train]" in (ROOT / "docker" / "worker.Dockerfile").read_text(encoding="utf-8")
