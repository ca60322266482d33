"""Settings: TOML reads back equal, unknown names are told the nearest, values out of range are refused in one line."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import ConfigError
from fedrec.experiment.config import RunConfig, make_algorithm, parse_setting, run_config, to_toml
from fedrec.experiment.toml import read_toml, toml_lines
from fedrec.runtime.faults import Fault

text = st.text(max_size=20)
numbers = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False))
plain = st.recursive(
    st.one_of(numbers, text), lambda x: st.lists(x, max_size=3) | st.dictionaries(text, x, max_size=3), max_leaves=6
)
configs = st.builds(
    RunConfig,
    algorithm=text,
    data=text,
    items=st.none() | text,
    users=st.none() | text,
    columns=st.dictionaries(text, text, max_size=3),
    duplicates=st.sampled_from(["first", "last", "all"]),
    basket=st.sampled_from(["day", "timestamp"]),
    at=st.none() | text,
    ratio=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 2**63 - 1),
    rounds=st.none() | st.integers(1, 10**6),
    cohort=st.none() | st.integers(1, 10**9),
    evaluate_every=st.none() | st.integers(1, 50),
    faults=st.lists(st.builds(Fault, reason=st.text(min_size=1, max_size=9), share=st.floats(0, 1)), max_size=3).map(
        tuple
    ),
    settings=st.dictionaries(text, plain, max_size=4),
)


@given(configs)
def test_toml_reads_back_equal(config: RunConfig) -> None:
    written = to_toml(config)
    assert run_config(tomllib.loads(written)) == config
    assert to_toml(run_config(tomllib.loads(written))) == written


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e16, 5e-324, -0.0, 10**40, "\x7f\u2028\\\"'\n", "", "é=1"])
def test_awkward_values_survive(value: Any) -> None:
    assert tomllib.loads("\n".join(toml_lines({"x": value})))["x"] == value


def test_numpy_numbers_become_plain() -> None:
    settings = {"a": np.float64(0.5), "b": np.int64(3), "c": np.array([1.0, 2.0])}
    config = run_config({"algorithm": "a", "data": "b", "settings": settings})
    assert config.settings == {"a": 0.5, "b": 3, "c": [1.0, 2.0]}
    assert run_config(tomllib.loads(to_toml(config))) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"protocl": "none"}, ["unknown setting 'protocl'", "Did you mean 'protocol'?"]),
        ({"sed": 1}, ["Did you mean 'seed'?"]),
        ({"xyzzy": 1}, ["unknown setting 'xyzzy'", "Known: algorithm, data, items"]),
        ({"seed": -1}, ["setting seed = -1", "greater than or equal to 0"]),
        ({"seed": 2**63}, ["setting seed = 9223372036854775808", "less than"]),
        ({"seed": "many"}, ["setting seed = 'many'", "valid integer"]),
        ({"rounds": 0}, ["setting rounds = 0"]),
        ({"cohort": 0}, ["setting cohort = 0"]),
        ({"duplicates": "frist"}, ["setting duplicates = 'frist'", "'first', 'last' or 'all'"]),
        ({"basket": "week"}, ["setting basket = 'week'", "'day' or 'timestamp'"]),
        ({"faults": [{"reason": "rain", "share": 1.5}]}, ["faults.0.share = 1.5", "less than or equal to 1"]),
        ({"faults": [{"reason": "", "share": 0.5}]}, ["faults.0.reason = ''"]),
        ({"faults": [{"reason": "rain", "shar": 0.5}]}, ["faults.0.share is missing", "faults.0.shar"]),
        ({"settings": 3}, ["setting settings = 3", "valid dictionary"]),
        ({"settings": {"reg": None}}, ["reg is null", "leave it out"]),
        ({"seed": -1, "rounds": 0}, ["seed = -1", "; setting rounds = 0"]),
    ],
)
def test_what_is_wrong_is_named_in_one_line(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        run_config({"algorithm": "ease", "data": "quickstart"} | values)
    said = str(caught.value)
    assert "\n" not in said
    for word in words:
        assert word in said


@given(st.dictionaries(st.sampled_from(list(RunConfig.model_fields)) | text, st.none() | plain, max_size=8))
def test_whatever_a_toml_file_holds_gives_settings_or_one_line(values: dict[str, Any]) -> None:
    said, config = "", None
    try:
        config = run_config({"algorithm": "ease", "data": "quickstart"} | values)
    except ConfigError as error:
        said = str(error)
    assert "\n" not in said
    assert said or config is not None
    assert config is None or run_config(tomllib.loads(to_toml(config))) == config


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("ease", {"regg": 1}, ["unknown setting of ease 'regg'", "Did you mean 'reg'?"]),
        ("ease", {"reg": 0}, ["setting of ease reg = 0", "greater than 0"]),
        ("ease", {"reg": math.inf}, ["setting of ease reg = inf", "finite"]),
        ("ease", {"reg": math.nan}, ["setting of ease reg = nan"]),
        ("ease", {"reg": "lots"}, ["setting of ease reg = 'lots'", "valid number"]),
        ("lowpass", {"rank": 9000}, ["setting of lowpass: rank = 9000"]),
        ("popularity", {"reg": 1}, ["unknown setting of popularity 'reg'", "Known: user_power"]),
        ("alone", {"reg": 1}, ["unknown setting of alone 'reg'", "It has no settings"]),
        ("eese", {}, ["no algorithm is called 'eese'", "Did you mean 'ease'?"]),
        ("tests.experiment.tiny_algorithm:Tinny", {}, ["cannot load", "tests.experiment.tiny_algorithm:Tinny"]),
        ("no_such_module:X", {}, ["cannot load", "no_such_module"]),
        ("json:JSONDecoder", {}, ["is not an algorithm"]),
        ("json:", {}, ["json:"]),
    ],
)
def test_algorithm_and_its_settings(name: str, settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        make_algorithm(name, settings)
    for word in words:
        assert word in str(caught.value)


def test_rounds_override_and_closed_forms_refuse_them() -> None:
    assert make_algorithm("tests.experiment.tiny_algorithm:Tiny", {"rounds": 9}, rounds=3).config.rounds == 3
    assert make_algorithm("ials", {}, rounds=3).config.sweeps == 3
    with pytest.raises(ConfigError, match="ease is a closed form with a fixed number of rounds"):
        make_algorithm("ease", {}, rounds=3)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("reg=300", ("reg", 300)),
        ("reg=3e2", ("reg", 300.0)),
        (" steps =day", ("steps", "day")),
        ("decay=[0.8, 0.5]", ("decay", [0.8, 0.5])),
        ("shuffle=false", ("shuffle", False)),
        ("name=a=b", ("name", "a=b")),
        ("name=", ("name", "")),
        ("name=[1,", ("name", "[1,")),
    ],
)
def test_set_takes_json_or_text(given_text: str, expected: tuple[str, Any]) -> None:
    assert parse_setting(given_text) == expected


@pytest.mark.parametrize("bad", ["reg", "=3", "", " =1"])
def test_set_without_name_or_value_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="expected name=value, for example --set reg=300"):
        parse_setting(bad)


@given(st.text(max_size=40))
def test_set_never_fails_otherwise(anything: str) -> None:
    try:
        name, _ = parse_setting(anything)
    except ConfigError:
        assert not anything.partition("=")[0].strip() or "=" not in anything
    else:
        assert name == anything.partition("=")[0].strip()


def test_toml_files_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {"broken": b"a = = 1", "latin": b'a = "\xe9"', "nul": b"\x00"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="is not valid TOML"):
            read_toml(tmp_path / name)
    with pytest.raises(ConfigError, match="is a folder"):
        read_toml(tmp_path)
    with pytest.raises(ConfigError, match=r"no config file .*none\.toml"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot read"):
        read_toml(tmp_path / "broken" / "below.toml")
