"""The optional sections of an environment, one a file: its keys, and the value they make."""
