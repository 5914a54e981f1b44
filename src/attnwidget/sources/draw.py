"""The toy sentence's random numbers: embeddings and weight matrices, each from its seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

INITS = ("uniform", "normal", "identity", "orthogonal")


def draw_embeddings(seed: int, d_model: int, n_q: int, n_k: int | None = None) -> list[NDArray]:
    """Return X (n_q, d_model), and with `n_k` the keys' embeddings (n_k, d_model).

    The numbers are uniform in [0, 1). They come from NumPy's legacy generator, so that they equal
    the numbers of the course lab. A longer sentence begins with the vectors of a shorter sentence.
    The keys are drawn from another generator, ``RandomState([seed, 1])``, so that a change of a
    sentence does not change the vectors of the other sentence.
    """
    drawn = [np.random.RandomState(seed).rand(n_q, d_model)]
    return drawn if n_k is None else [*drawn, np.random.RandomState([seed, 1]).rand(n_k, d_model)]


def draw_weights(seed: int, init: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray]:
    """Return a matrix (..., d_in, d_out) for each of `shapes`, drawn in order from a generator.

    `init` is ``"uniform"`` in [0, 1) as in the course lab, ``"normal"`` with mean 0 and standard
    deviation 1, ``"identity"`` (ones on the diagonal), or ``"orthogonal"`` (orthonormal rows or
    columns, whichever are fewer; Saxe et al. 2013, arXiv 1312.6120).
    """
    generator = np.random.RandomState(seed)
    draws: dict[str, Callable[[tuple[int, ...]], NDArray]] = {
        "uniform": lambda shape: generator.rand(*shape),
        "normal": lambda shape: generator.randn(*shape),
        "identity": lambda shape: np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy(),
        "orthogonal": lambda shape: _orthogonal(generator.randn(*shape)),
    }
    return {name: draws[init](shape) for name, shape in shapes.items()}


def _orthogonal(normal: NDArray) -> NDArray:
    wide = normal.shape[-2] < normal.shape[-1]
    q, r = np.linalg.qr(np.swapaxes(normal, -1, -2) if wide else normal)
    # Correct the signs, because those of QR's convention are not uniform (Mezzadri 2007,
    # math-ph/0609050).
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return np.swapaxes(q, -1, -2) if wide else q
