"""fedrec.cli."""
