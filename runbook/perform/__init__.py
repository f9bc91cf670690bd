"""Performing steps: one file a kind, each a function of the step and the run."""
