"""A student's function: checked, and its mistakes named."""
