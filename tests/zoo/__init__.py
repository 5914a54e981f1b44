"""Tiny models of many architectures, and what transformers' own eager attention says of each."""
