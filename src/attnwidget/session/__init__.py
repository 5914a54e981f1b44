"""The laboratory: what is shown, what may be set, and what follows."""
