"""Compiled inner loops (numba, cached), each beside the plain version that it is tested against."""
