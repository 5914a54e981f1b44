"""Figures of a state: SVG, PDF and PNG, drawn without a browser and without Jupyter."""
