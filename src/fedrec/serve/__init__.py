"""Recommend from a trained run: in process here, over HTTP in a later part."""

from fedrec.serve.bundle import Bundle, load

__all__ = ["Bundle", "load"]
