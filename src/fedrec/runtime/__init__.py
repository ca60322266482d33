"""Where the clients are: Runtime.round(phase, broadcast, cohort) -> RoundResult."""
