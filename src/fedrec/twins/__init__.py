"""fedrec.twins."""
