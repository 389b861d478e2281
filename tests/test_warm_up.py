"""What takes long to import or to compile is loaded ahead of its use, or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

KERNELS = """
import sys
import numpy as np
from numba.core.registry import CPUDispatcher
from napari_sofinet import open_movie, reconstruct
from napari_sofinet.methods.warm_up import load_kernels

def compiled():
    return {
        (name, key): list(kernel.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("napari_sofinet.")
        for key, kernel in vars(module).items()
        if isinstance(kernel, CPUDispatcher)
    }

load_kernels()
before = compiled()
y, x = np.mgrid[:24, :24]
spot = np.exp(-((y - 12.2) ** 2 + (x - 10.7) ** 2) / 2.9)
light = 900 * (np.arange(40) % 5 == 0)[:, None, None] * spot + 20
movie = open_movie(np.random.default_rng(1).poisson(light).astype(np.uint16))
for method in sys.argv[1:]:
    reconstruct(movie, method)
late = [key for key, known in compiled().items() if known != before.get(key)]
print("late", late)
"""

DOCK = """
import sys
import napari_sofinet.widgets.train_widget
print("torch" in sys.modules)
"""

READER = """
import sys
import napari_sofinet.widgets.reader
print("napari_sofinet.methods" in sys.modules)
"""


def printed(script: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sofi", "deepstorm"])
def test_kernels_are_loaded_before_the_first_reconstruction(method):
    if method == "deepstorm":
        pytest.importorskip("torch")
    assert printed(KERNELS, method) == "late []"


@pytest.mark.slow
def test_a_dock_that_opens_does_not_load_pytorch():
    assert printed(DOCK) == "False"


@pytest.mark.slow
def test_a_movie_opens_without_loading_all_methods():
    assert printed(READER) == "False"
