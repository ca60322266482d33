"""fedrec.report."""
