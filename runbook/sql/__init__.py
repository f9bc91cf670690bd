"""SQL files: splitting them, what a statement says of itself, and what their guards choose."""
