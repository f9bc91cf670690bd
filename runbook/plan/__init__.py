"""Plans: the steps they are made of, their order, and what admits them. Pure."""
