"""A written runbook as a program: look, plan, then render or execute."""
