"""The phases: each looks (read-only) and returns a plan."""
