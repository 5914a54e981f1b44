"""Where attention comes from: a toy sentence (``lab``) or a running model (``model``)."""
