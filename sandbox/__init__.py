"""Real servers on loopback: a database and three SSH hosts, for the demo and the tests."""
