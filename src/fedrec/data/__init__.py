"""Readers, ids, splits, silos and the bundled sample. polars is imported here only."""
