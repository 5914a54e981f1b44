"""Random heads for the tests of the maths, and a fixture that makes a warning a failure."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
LEADS = [(), (1,), (3,), (2, 3)]


@pytest.fixture(autouse=True)
def no_warnings():
    """A warning is a failure; only underflow to 0, silent in NumPy too, is none."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Array, Array, Array]:
    """Q, K, V with n_q, n_k, d_k, d_v all free, and a mask in which rows may be empty."""
    lead = draw(st.sampled_from(LEADS))
    n_q, n_k, d_k, d_v = (draw(st.integers(1, 9)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from([0.1, 1.0, 2.0]))
    q, k, v = (
        rng.standard_normal((*lead, *shape)) * size
        for shape in ((n_q, d_k), (n_k, d_k), (n_k, d_v))
    )
    mask_lead = draw(st.sampled_from([lead, ()]))
    mask = rng.random((*mask_lead, n_q, n_k)) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    return q, k, v, mask
