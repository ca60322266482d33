"""Experiments: settings, one run and its folder, the choice of settings, comparisons, controls."""
