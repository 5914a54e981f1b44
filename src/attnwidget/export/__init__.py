"""A state as a file, without Jupyter: figures, a page without Python, a module."""
