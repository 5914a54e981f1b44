"""A state as a file, without Jupyter: figures, a page without Python, a module."""

# What a page without Python has at most: 72 heads of 64 tokens fit.
MAX_BYTES = 1_500_000
