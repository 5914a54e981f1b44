"""Sources of attention: immutable values that a session shows."""
