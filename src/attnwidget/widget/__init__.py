"""The widgets: Jupyter's side of a session."""
