"""fedrec.experiment."""
