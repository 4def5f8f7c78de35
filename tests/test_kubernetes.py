"""The manifests of the kit: valid, hardened, of one mind with the image; overridden by INI."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest
import yaml

from tests.ini import load_file
from tests.kit import KIT, OVERLAYS, SECRET, Pod, last, pod_of, rendered
from tests.serving import program
from tests.wsgi import call, make_environ
from wsgi_mw_paste import HealthSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kit import Manifest

#: Two versions of the API: the newest that is known here, and the oldest that has a preStop sleep
#: without a feature gate.
VERSIONS = (kubernetes_validate.latest_version(), "1.30")
#: Whose scripts each deployment lets read its responses, and whether with cookies.
ALLOWED = {
    "staging": ("https://shop-branch.preview.example.com", None),
    "production": ("https://shop.example.com", "true"),
}


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def manifests(overlay: str) -> dict[str, Manifest]:
    return rendered(overlay)


@pytest.fixture
def container(manifests: dict[str, Manifest]) -> Manifest:
    [found] = pod_of(manifests)["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def pod(overlay: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """Lay out an overlay's files, and let its checks be imported."""
    found = Pod(Path("pod").absolute(), overlay, SECRET)
    monkeypatch.syspath_prepend(found.place("/app"))
    yield found
    sys.modules.pop("health_checks", None)


# Against the API.


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_rendered_keeps_to_the_schemas(
    version: str, manifests: dict[str, Manifest]
) -> None:
    """Every manifest is valid, without a field that the API does not know."""
    assert set(manifests) == {"ConfigMap", "Deployment", "Ingress", "Service"}
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_template_of_the_secret_is_valid_and_holds_no_secret() -> None:
    """It has the keys that the Deployment asks for, and words to replace."""
    manifest = yaml.safe_load((KIT / "kubernetes/secret.yaml").read_text(encoding="utf-8"))
    kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)
    assert manifest["stringData"].keys() == SECRET.keys()
    assert all("REPLACE-ME" in value for value in manifest["stringData"].values())


def test_a_field_that_is_misspelt_is_noticed(manifests: dict[str, Manifest]) -> None:
    """The validation is strict: these tests would fail."""
    pod_of(manifests)["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetwrok"):
        kubernetes_validate.validate(manifests["Deployment"], VERSIONS[0], strict=True)


# Hardening.


def test_the_pod_is_hardened(manifests: dict[str, Manifest]) -> None:
    """As the restricted profile of the Pod Security Standards asks for, and a little more."""
    pod = pod_of(manifests)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"].keys() == {"requests", "limits"}


def test_only_tmp_can_be_written_to(container: Manifest) -> None:
    """What the server and the operator write is there."""
    writable = [
        mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")
    ]
    assert writable == ["/tmp"]  # noqa: S108 -- the container's
    settings = runpy.run_path(str(KIT / "container/gunicorn.conf.py"))
    assert settings["worker_tmp_dir"] == writable[0]
    assert settings["control_socket_disable"] is True


# Numbers and names that stand in two files.


def test_the_secret_is_a_file_that_the_environment_names(manifests: dict[str, Manifest]) -> None:
    """``LOG_TOKENS_KEY_FILE`` is the path of the mounted file; the INI files know of none."""
    pod = pod_of(manifests)
    [container] = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    [(name, secret)] = [(v["name"], v["secret"]) for v in pod["volumes"] if "secret" in v]
    [item] = secret["items"]
    values = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert values["LOG_TOKENS_KEY_FILE"] == f"{mounts[name]}/{item['path']}"
    assert secret["defaultMode"] == 0o440
    assert "log_tokens_key" not in "".join(manifests["ConfigMap"]["data"].values())


def test_the_grace_period_is_long_enough(manifests: dict[str, Manifest]) -> None:
    """PreStop's sleep and gunicorn's graceful timeout fit into it, and some seconds are left."""
    pod = pod_of(manifests)
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    graceful = runpy.run_path(str(KIT / "container/gunicorn.conf.py"))["graceful_timeout"]
    assert sleep + graceful + 5 <= pod["terminationGracePeriodSeconds"]


def test_the_probes_are_those_of_the_filter(container: Manifest) -> None:
    """Their paths are its defaults, and their port is where gunicorn listens."""
    defaults = HealthSettings()
    paths = {
        "startupProbe": defaults.health_live_path,
        "livenessProbe": defaults.health_live_path,
        "readinessProbe": defaults.health_ready_path,
    }
    [port] = container["ports"]
    for name, path in paths.items():
        assert container[name]["httpGet"] == {"path": path, "port": port["name"]}
    bind = runpy.run_path(str(KIT / "container/gunicorn.conf.py"))["bind"]
    assert bind.partition(":")[2] == last("EXPOSE") == str(port["containerPort"])


def test_readiness_waits_longer_than_the_checks_take(container: Manifest) -> None:
    """The limits of one check, added up, are below the probe's: it hears the result."""
    text = (KIT / "health_checks.py").read_text(encoding="utf-8")
    pool = int(re.findall(r"pool_timeout=(\d+)", text)[0])
    driver = int(re.findall(r'"timeout": (\d+)', text)[0])
    assert max(pool, driver) + driver < container["readinessProbe"]["timeoutSeconds"]


def test_the_ingress_leads_to_the_pods(manifests: dict[str, Manifest]) -> None:
    """By way of the Service, whose selector is the label of the pods."""
    [rule] = manifests["Ingress"]["spec"]["rules"]
    [path] = rule["http"]["paths"]
    service = manifests["Service"]
    [port] = service["spec"]["ports"]
    assert path["backend"]["service"] == {
        "name": service["metadata"]["name"],
        "port": {"name": port["name"]},
    }
    template = manifests["Deployment"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    [container] = template["spec"]["containers"]
    assert port["targetPort"] == container["ports"][0]["name"]


def test_an_image_has_a_tag_of_its_own(container: Manifest) -> None:
    """None is called latest, so that a pod has today what it has tomorrow."""
    assert re.fullmatch(r"registry\.example\.com/shop:\d+\.\d+\.\d+\S*", container["image"])


# Overriding by INI.


def test_an_overlay_sets_by_ini_who_may_read(
    overlay: str, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line in its site.ini wins over application.ini and over the environment."""
    monkeypatch.setenv("CORS_ALLOWED", "https://environment.example")
    app = load_file(pod.place("/etc/shop/site.ini"))
    origin, credentials = ALLOWED[overlay]
    answer = call(app, make_environ(path="/json", headers={"Origin": origin}))
    assert answer.header("Access-Control-Allow-Origin") == origin
    assert answer.header("Access-Control-Allow-Credentials") == credentials
    assert answer.header("Access-Control-Expose-Headers") == "X-Request-Id"
    for other in {"https://environment.example", *(a for a, _ in ALLOWED.values())} - {origin}:
        answer = call(app, make_environ(path="/json", headers={"Origin": other}))
        assert answer.header("Access-Control-Allow-Origin") is None


def test_the_base_allows_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlay that forgets its line is closed, whatever the environment says."""
    monkeypatch.setenv("CORS_ALLOWED", "*")
    monkeypatch.syspath_prepend(KIT)
    app = load_file(KIT / "kubernetes/base/site.ini")
    answer = call(app, make_environ(path="/json", headers={"Origin": "https://a.example"}))
    assert (answer.code, answer.header("Access-Control-Allow-Origin")) == (200, None)


def test_check_finds_nothing_wrong_and_needs_no_secret(pod: Pod) -> None:
    """It is run where the image is built: no variable of the Deployment is set there."""
    ran = subprocess.run(
        [program("wsgi-mw-paste"), "check", "--strict", pod.place("/etc/shop/site.ini")],
        env={"PYTHONPATH": str(pod.place("/app"))},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0
    assert "0 errors, 0 warnings" in ran.stdout
