"""Attacks on one's own set-up, with a verdict a line, and the officer's report of them."""
