"""A widget as a file: a page without Python, a module, figures."""
