"""The watch: what it asks the database, its script on a host, and how that host runs it."""
