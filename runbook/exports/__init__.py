"""Exports: what would be lost, read raw, written exactly, found again."""
