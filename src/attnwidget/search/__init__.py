"""Measure the effect of many knock-outs on a number of a model's output."""
