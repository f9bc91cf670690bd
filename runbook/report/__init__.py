"""A run's journal as a page for people, and as text for a ticket; it looks at nothing else."""
