"""One settings model makes the form's, the command line's and the recipe's values."""

from __future__ import annotations

import argparse
import math
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings, build, flatten_settings, parameter, parameters
from napari_sofinet.base.settings_text import command_options, parse, text_of
from napari_sofinet.cli.options import add_options, given_values
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.sofi import SofiSettings


def from_command_line(model: type[Settings], words: list[str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser, model)
    return build(model, given_values(parser.parse_args(words), model))


@pytest.mark.parametrize("method", methods().values(), ids=lambda m: m.name)
def test_an_empty_command_line_is_the_default(method):
    assert from_command_line(method.settings, []) == method.settings()
    assert build(method.settings, flatten_settings(method.settings())) == method.settings()
    assert command_options(method.settings()) == []


@pytest.mark.parametrize("method", methods().values(), ids=lambda m: m.name)
def test_every_parameter_has_help_and_limits(method):
    for leaf in parameters(method.settings):
        assert leaf.help.endswith("."), leaf.name
        assert method.describe(method.settings(), {}).endswith(".")


sofi_values = st.fixed_dictionaries(
    {
        "order": st.integers(2, 6),
        "lag": st.integers(0, 9),
        "sub_sequences.frames": st.none() | st.integers(20, 500),
        "camera.offset": st.none() | st.floats(-100, 1000),
        "background.method": st.sampled_from(["none", "percentile", "rolling-ball"]),
        "linearization": st.sampled_from(["default", "none"]),
        "psf_fwhm_px": st.none() | st.floats(0.5, 20),
        "pixel_sets": st.sampled_from(["all", "weighted", "single"]),
        "deconvolution.iterations": st.integers(0, 500),
        "deconvolution.truncate_percent": st.floats(0, 99),
        "deconvolution.reconvolve": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(values=sofi_values)
def test_settings_survive_the_command_line(values):
    chosen = build(SofiSettings, values)
    words = shlex.split(" ".join(command_options(chosen)))
    assert from_command_line(SofiSettings, words) == chosen


@settings(max_examples=60, deadline=None, derandomize=True)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(value):
    leaf = next(leaf for leaf in parameters(SofiSettings) if leaf.name == "psf_fwhm_px")
    assert parse(leaf, text_of(value)) == value


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"order": 9}, "order must be less than or equal to 6"),
        ({"order": "two"}, "order must be a valid integer"),
        ({"psf_fwhm_px": math.nan}, "psf_fwhm_px must be a finite number"),
        ({"deconvolution.iterations": -1}, r"deconvolution\.iterations"),
        ({"colour": 1}, "no setting called colour"),
        ({"deconvolution.colour": 1}, r"no setting called deconvolution\.colour"),
    ],
)
def test_bad_values_are_named_in_one_sentence(values, match):
    with pytest.raises(InputError, match=match) as caught:
        build(SofiSettings, values)
    assert "\n" not in str(caught.value)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        SofiSettings().order = 3


class _Group(Settings):
    small: float = parameter(1e-4, "A small number.", gt=0, lt=1)
    maybe: int | None = parameter(None, "An optional number.")


class _Nested(Settings):
    switch: bool = parameter(True, "A switch.")
    group: _Group = _Group(small=2e-4)


def test_nested_groups_keep_their_own_defaults():
    assert from_command_line(_Nested, []) == _Nested()
    chosen = from_command_line(_Nested, ["--group.maybe", "3"])
    assert chosen == _Nested(group=_Group(small=2e-4, maybe=3))


def test_core_loads_neither_qt_nor_napari_nor_torch():
    code = (
        "import sys, napari_sofinet.methods, napari_sofinet.cli, napari_sofinet.simulation\n"
        "heavy = {'napari', 'qtpy', 'torch', 'PyQt6', 'magicgui', 'numba', 'dask', 'skimage'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
