"""Recommend from a trained run: in process here, over HTTP in a later part."""

from fedrec.serve.bundle import Bundle, load
from fedrec.serve.recommender import Recommendation, Recommender

__all__ = ["Bundle", "Recommendation", "Recommender", "load"]
