"""Ranking metrics, evaluation protocols and controls against leaks."""
