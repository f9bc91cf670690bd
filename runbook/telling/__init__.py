"""Telling people and programs: a plan as text, the console, the journal, the JSON document."""
