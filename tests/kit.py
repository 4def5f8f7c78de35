"""The deployment kit in ``examples`` as tests read it: manifests, Dockerfile, a pod's files."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.ini import ROOT
from tests.serving import program

if TYPE_CHECKING:
    from collections.abc import Mapping

    Manifest = dict[str, Any]

KIT = ROOT / "examples"
OVERLAYS = ("staging", "production")
#: What an operator would have put into the Secret; there is no database behind it.
SECRET = {
    "log_tokens_key": "a-key-of-the-tests-0123456789",
    "database_url": "postgresql+pg8000://127.0.0.1:1/shop",
}


def rendered(overlay: str) -> dict[str, Manifest]:
    """Return an overlay's manifests as ``kubectl kustomize`` renders them, by kind."""
    manifests = list(yaml.safe_load_all(_rendered(overlay)))
    found = {manifest["kind"]: manifest for manifest in manifests}
    assert len(found) == len(manifests)
    return found


@functools.cache
def _rendered(overlay: str) -> str:
    kubectl, folder = program("kubectl", os.environ["PATH"]), KIT / "kubernetes/overlays" / overlay
    ran = subprocess.run([kubectl, "kustomize", folder], capture_output=True, check=True, text=True)
    # Where it would say that something is deprecated.
    assert not ran.stderr
    return ran.stdout


def pod_of(manifests: Mapping[str, Manifest]) -> Manifest:
    """Return the pod of a Deployment."""
    pod: Manifest = manifests["Deployment"]["spec"]["template"]["spec"]
    return pod


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments."""
    text = (KIT / "container/Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def last(name: str) -> str:
    """Return the arguments of the last instruction of a kind: it is the one in effect."""
    return [rest for instruction, rest in dockerfile() if instruction == name][-1]


class Pod:
    """A pod's files in a folder, and what is started there in place of its container.

    Nothing differs from a container but where the folders are.

    :param overlay: whose manifests these are.
    :param secret: the contents of the Secret.
    """

    def __init__(self, folder: Path, overlay: str, secret: Mapping[str, str]) -> None:
        self.folder = folder
        manifests = rendered(overlay)
        pod = pod_of(manifests)
        [self.container] = pod["containers"]
        self._secret = secret
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self._folders = ["/app", *mounts.values()]
        for volume in pod["volumes"]:
            place = self.place(mounts[volume["name"]])
            place.mkdir(parents=True)
            if "configMap" in volume:
                assert volume["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
                for name, text in manifests["ConfigMap"]["data"].items():
                    (place / name).write_text(self.placed(text), encoding="utf-8")
            for item in volume.get("secret", {}).get("items", []):
                (place / item["path"]).write_text(secret[item["key"]], encoding="utf-8")
        self.place("/app").mkdir()
        for name in ("health_checks.py", "container/gunicorn.conf.py"):
            text = (KIT / name).read_text(encoding="utf-8")
            (self.place("/app") / Path(name).name).write_text(self.placed(text), encoding="utf-8")

    def place(self, path: str) -> Path:
        """Return where a folder or file of the container is."""
        return self.folder / path.lstrip("/")

    def placed(self, text: str) -> str:
        """Return a text with the paths of the container's folders changed into those here."""
        folders = "|".join(self._folders)
        return re.sub(rf"(?<![\w/])(?:{folders})(?![\w-])", lambda m: str(self.place(m[0])), text)

    def environment(self) -> dict[str, str]:
        """Return the variables of the image and of the Deployment."""
        found = dict(word.split("=", 1) for word in last("ENV").split())
        for variable in self.container["env"]:
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["name"] == "shop"
                found[variable["name"]] = self._secret[reference["key"]]
        found["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {name: self.placed(value) for name, value in found.items()}

    def command(self) -> list[str]:
        """Return what the image starts: the Deployment does not say otherwise."""
        assert not {"command", "args"} & self.container.keys()
        return [self.placed(word) for word in json.loads(last("CMD"))]


def copy_context(folder: Path) -> None:
    """Copy what the Dockerfile may take, which is what the ignore file lets through."""
    text = (KIT / "container/Dockerfile.dockerignore").read_text(encoding="utf-8")
    patterns = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*"
    for pattern in patterns[1:]:
        path = folder / pattern.removeprefix("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(KIT / pattern.removeprefix("!"), path)
