"""One command, from the options typed to the exit status."""
