"""Hosts over SSH: connections, detached jobs, and what runs on the backup host."""
