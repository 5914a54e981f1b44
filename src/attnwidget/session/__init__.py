"""Sessions: the state of a source on screen, and the commands that change the state."""
