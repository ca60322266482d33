"""The round loop, cohort sampling and server optimisers."""
