"""What a release brings along, and how it is built and published."""

from __future__ import annotations

import re
from importlib.metadata import requires
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.ini import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKFLOWS = ROOT / ".github" / "workflows"
#: Not a part of the sdist.
in_a_checkout = pytest.mark.skipif(not WORKFLOWS.is_dir(), reason="an sdist has no workflows")

#: What the package needs, and what that needs.
NEEDED = {"pastedeploy", "webob", "environs", "marshmallow", "python-dotenv"}
#: What of later standard libraries these need on 3.10, and of earlier ones from 3.13 on.
BACKPORTS = {"backports-datetime-fromisoformat", "legacy-cgi", "typing-extensions"}


def installed_with(name: str, extra: str = "") -> Iterator[str]:
    """Yield the distributions that one brings along on this interpreter, some again and again."""
    for requirement in map(Requirement, requires(name) or []):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement.name.lower().replace("_", "-").replace(".", "-")
            yield from installed_with(requirement.name)


@pytest.mark.parametrize(
    ("extra", "more"),
    [
        pytest.param("", set(), id="none"),
        pytest.param("json", {"orjson", "python-json-logger"}, id="json"),
        pytest.param("origins", {"idna", "publicsuffixlist"}, id="origins"),
    ],
)
def test_these_packages_are_installed_and_no_others(extra: str, more: set[str]) -> None:
    """A dependency that gets one of its own is noticed."""
    found = set(installed_with("wsgi_mw_paste", extra))
    assert found - BACKPORTS == NEEDED | more


def workflow(name: str) -> Any:
    return yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))


@in_a_checkout
def test_actions_are_pinned_to_commits() -> None:
    """What runs with our permissions is what has been looked at."""
    jobs = [job for path in WORKFLOWS.iterdir() for job in workflow(path.name)["jobs"].values()]
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    images = [job["container"] for job in jobs if "container" in job]
    assert [image for image in images if not re.search("@sha256:[0-9a-f]{64}$", image)] == []
    assert used
    assert images


@in_a_checkout
def test_only_the_job_that_publishes_has_a_permission() -> None:
    """It may say who it is; it runs none of our code, and has no secret. The others read."""
    found = {
        (path.name, name): job["permissions"]
        for path in WORKFLOWS.iterdir()
        for name, job in workflow(path.name)["jobs"].items()
    }
    assert {path.name: workflow(path.name)["permissions"] for path in WORKFLOWS.iterdir()} == {
        "ci.yml": {},
        "publish.yml": {},
    }
    assert found.pop(("publish.yml", "publish")) == {"id-token": "write"}
    assert list(found.values()) == [{"contents": "read"}] * len(found)
    publish = workflow("publish.yml")["jobs"]["publish"]["steps"]
    assert [step for step in publish if "run" in step] == []
    assert not any("secrets." in path.read_text(encoding="utf-8") for path in WORKFLOWS.iterdir())


@in_a_checkout
def test_a_release_has_attestations() -> None:
    """Anyone can see which commit and which workflow a file comes from."""
    steps = workflow("publish.yml")["jobs"]["publish"]["steps"]
    (step,) = [step for step in steps if "pypi-publish" in step.get("uses", "")]
    assert step["with"]["attestations"] is True


@in_a_checkout
def test_the_builder_is_pinned() -> None:
    """The wheel names the setuptools that made it: another one would make another wheel."""
    constraints = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"(?m)^setuptools==[\d.]+$", constraints)
    assert "PIP_CONSTRAINT = .ci/constraints.txt" in (ROOT / "Makefile").read_text("utf-8")
