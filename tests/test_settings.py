"""Settings classes: what a declaration means, and settings made in Python."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ini import A_BOOLEAN, A_KEY, A_NUMBER, SECRET, lines_of, load, read_section, write_cors
from wsgi_mw_paste import (
    ConfigurationError,
    CORSSettings,
    RequestIdSettings,
)
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import (
    Option,
    Settings,
    given_or_environment,
    option,
    options,
    reference,
)
from wsgi_mw_paste.values import boolean, key_text, number, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def test_the_repr_of_settings_masks_a_secret() -> None:
    """``repr`` and ``str`` show every option but a secret's value."""
    settings = RequestIdSettings(log_tokens_key=SECRET, log_tokens="fingerprint")
    assert SECRET not in repr(settings) + str(settings)
    assert "log_tokens='fingerprint', log_tokens_key='***')" in repr(settings)
    assert "log_tokens_key='')" in repr(RequestIdSettings())
    assert SECRET not in repr(load([RequestIdSettings], {}, {"log_tokens_key": SECRET}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            "X-Request-Id",
            "settings must be a RequestIdSettings, not str:"
            " write RequestIdSettings(request_id_header=…)",
            id="the header name that 0.1.6 took",
        ),
        pytest.param(
            CORSSettings(),
            "settings must be a RequestIdSettings, not CORSSettings:"
            " write RequestIdSettings(request_id_header=…)",
            id="another filter's",
        ),
    ],
)
def test_settings_of_another_type_are_a_type_error(settings: Any, message: str) -> None:
    """The error names the settings class and its first option."""
    with pytest.raises(TypeError) as caught:
        given_or_environment(RequestIdSettings, settings)
    assert str(caught.value) == message


def test_settings_that_are_given_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is not looked at then."""
    monkeypatch.setenv("CORS_MAX_AGE", "broken")
    settings = CORSSettings()
    assert given_or_environment(CORSSettings, settings) is settings


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class PumpSettings(Settings):
    """One option of each kind, and one field that is none."""

    pump_sites: Sequence[str] = dataclasses.field(
        default=("a", "b"), metadata=option(words, "where")
    )
    pump_level: int = dataclasses.field(
        default=5, metadata=option(number(0, 9, "litres"), "how *much*")
    )
    pump_on: bool = dataclasses.field(default=True, metadata=option(boolean, "whether"))
    pump_key: str = dataclasses.field(
        default="", metadata=option(key_text, "for whom", secret=True)
    )
    wired: bool = dataclasses.field(init=False, default=False, compare=False)


def test_a_settings_class_declares_its_options() -> None:
    """``options`` derives names, variables, defaults and help from the fields, in their order."""
    declared = options(PumpSettings)
    assert [(o.name, o.variable, o.default, o.help, o.secret) for o in declared.values()] == [
        ("pump_sites", "PUMP_SITES", ("a", "b"), "where", False),
        ("pump_level", "PUMP_LEVEL", 5, "how *much*", False),
        ("pump_on", "PUMP_ON", True, "whether", False),
        ("pump_key", "PUMP_KEY", "", "for whom", True),
    ]
    assert list(declared) == [option.name for option in declared.values()]


def test_an_option_has_all_that_its_declaration_says() -> None:
    """It is no secret unless that is said."""

    @dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
    class Valve(Settings):
        valve_key: str = dataclasses.field(default="x", metadata=option(key_text, "for whom"))

    assert options(Valve) == {"valve_key": Option("valve_key", "x", key_text, "for whom", False)}  # noqa: FBT003


def test_the_reference_is_a_table_of_the_declarations() -> None:
    """One row for each option, in order, as an INI file would spell the defaults."""
    assert reference([PumpSettings, PumpSettings]).splitlines() == [
        "| option | default | meaning |",
        "| --- | --- | --- |",
        *(
            "| `pump_sites` | `a, b` | where |",
            "| `pump_level` | `5` | how *much* |",
            "| `pump_on` | `true` | whether |",
            "| `pump_key` | empty | for whom |",
        )
        * 2,
    ]


@pytest.mark.parametrize("cls", FACTORIES["main"].settings)
def test_every_default_parses_to_itself_and_fits_the_table(cls: type[Settings]) -> None:
    """The defaults pass their own parsers, also as the table shows them; no cell is torn."""
    for declared in options(cls).values():
        assert declared.parse(declared.default) == declared.default
        assert declared.parse(declared.show(declared.default)) == declared.default
        assert "|" not in declared.help
        assert "\n" not in declared.help


def test_settings_take_text_and_ready_values() -> None:
    """Both go through the same parser, so they are equal, and have equal hashes."""
    text = PumpSettings(pump_sites="x, y", pump_level="7", pump_on="off", pump_key=SECRET)  # type: ignore[arg-type]
    ready = PumpSettings(pump_sites=["x", "y"], pump_level=7, pump_on=False, pump_key=SECRET)
    assert text == ready
    assert hash(text) == hash(ready)
    assert repr(text) == (
        "PumpSettings(pump_sites='x, y', pump_level='7', pump_on='false', pump_key='***')"
    )


def test_settings_from_python_report_their_problems_by_field() -> None:
    """The source is the settings class, since there is no file; ready values are shown as text."""
    lines = lines_of(
        lambda: PumpSettings(pump_sites=["a", 1], pump_level=True, pump_on=1, pump_key=b"x")  # type: ignore[list-item, arg-type]
    )
    assert lines == [
        (
            "PumpSettings pump_sites = 'a, 1':"
            " expected a list of words, separated by commas or whitespace"
        ),
        "PumpSettings pump_level = 'true': expected a number of litres from 0 to 9",
        f"PumpSettings pump_on = '1': {A_BOOLEAN}",
        f"PumpSettings pump_key = '***': {A_KEY}",
    ]


def test_settings_know_what_was_given() -> None:
    """An option set to its default was chosen all the same; the start-up warning asks for that."""
    assert PumpSettings().given == frozenset()
    assert PumpSettings(pump_on=True, pump_level="5").given == {"pump_on", "pump_level"}  # type: ignore[arg-type]
    assert PumpSettings() == PumpSettings(pump_on=True)


def test_an_option_that_does_not_exist_is_a_type_error_in_python() -> None:
    """As for every other function with keyword arguments."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'pump_of'"):
        PumpSettings(pump_of=True)  # type: ignore[call-arg]


def test_settings_cannot_be_changed() -> None:
    """What a middleware was made of stays what it was."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PumpSettings().pump_on = False  # type: ignore[misc]


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda settings: pickle.loads(pickle.dumps(settings)), id="pickle"),  # noqa: S301
    ],
)
def test_copies_of_settings_are_equal(duplicate: Callable[[Any], Any]) -> None:
    """Copying and pickling keep the values, what was given and what was compiled."""
    settings = CORSSettings(cors_allowed="https://a.example, *.b.example", cors_max_age=600)
    again = duplicate(settings)
    assert (again, again.given) == (settings, {"cors_allowed", "cors_max_age"})
    assert [o in again.origins for o in ("https://a.example", "https://x.b.example", "null")] == [
        True,
        True,
        False,
    ]


def test_replaced_settings_are_checked_like_new_ones() -> None:
    """``dataclasses.replace`` parses and checks again, and counts everything as given."""
    settings = dataclasses.replace(CORSSettings(cors_max_age=1), cors_allowed="https://a.example")
    assert settings == CORSSettings(cors_max_age=1, cors_allowed="https://a.example")
    assert "https://a.example" in settings.origins
    assert settings.given == set(options(CORSSettings))
    assert lines_of(lambda: dataclasses.replace(settings, cors_max_age=-1)) == [
        f"CORSSettings cors_max_age = '-1': {A_NUMBER}"
    ]


def test_a_conflict_with_a_default_says_so() -> None:
    """If the offending value was not set, the message calls it the default."""

    @dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
    class Strict(PumpSettings):
        def conflicts(self) -> Any:
            yield self.problem("pump_level", self.pump_level, "expected less when pump_on is off")

    assert lines_of(lambda: load([Strict], {}, {"pump_on": "off"})) == [
        "default pump_level = '5': expected less when pump_on is off"
    ]


def test_loading_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Logging may not be configured yet; what there is to say is said by the middlewares."""
    caplog.set_level(logging.DEBUG)
    read_section(write_cors("cors_allowed = https://A.example/"), "cors")
    assert caplog.records == []


# From Python and the environment together.


def test_what_is_given_wins_and_the_rest_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process's variables, then ``.env``, then the default."""
    monkeypatch.setenv("REQUEST_ID_HEADER", "X-Of-The-Environment")
    monkeypatch.setenv("LOG_TOKENS", "fingerprint")
    Path(".env").write_text("LOG_TOKENS=false\nREQUEST_ID_MAX_LENGTH=7\n", encoding="utf-8")
    settings = RequestIdSettings.from_environment(request_id_header="X-Given")
    assert settings == RequestIdSettings(
        request_id_header="X-Given", log_tokens="fingerprint", request_id_max_length=7
    )
    assert settings.given == {"request_id_header", "log_tokens", "request_id_max_length"}


def test_settings_made_in_python_are_exactly_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The class itself reads no environment."""
    monkeypatch.setenv("LOG_TOKENS", "fingerprint")
    assert RequestIdSettings().log_tokens is True


def test_problems_of_code_and_environment_are_reported_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the source of each."""
    monkeypatch.setenv("LOG_REQUESTS", "maybe")
    monkeypatch.setenv("LOG_TOKENS_KEY_FILE", "missing")
    with pytest.raises(ConfigurationError) as caught:
        RequestIdSettings.from_environment(request_id_max_length=0, log_tokens="no idea")
    assert [(problem.option, str(problem.source)) for problem in caught.value.problems] == [
        ("log_tokens_key", "environment LOG_TOKENS_KEY_FILE"),
        ("request_id_max_length", "RequestIdSettings request_id_max_length"),
        ("log_requests", "environment LOG_REQUESTS"),
        ("log_tokens", "RequestIdSettings log_tokens"),
    ]
    assert caught.value.problems[1].source == Source(
        "code", sections=("RequestIdSettings",), key="request_id_max_length"
    )


def test_an_option_that_does_not_exist_is_a_type_error_beside_the_environment() -> None:
    """As for the class itself."""
    with pytest.raises(TypeError, match="log_token"):
        RequestIdSettings.from_environment(log_token="x")


def test_settings_have_nothing_to_remark_by_default() -> None:
    """Subclasses do."""
    assert Settings().remarks == ()
