"""A Hugging Face model as a source: the run, the record of it, and the tokens."""
