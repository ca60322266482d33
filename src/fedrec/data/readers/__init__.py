"""One file a format; each returns a ``Raw``."""
