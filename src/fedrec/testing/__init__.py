"""fedrec.testing."""
