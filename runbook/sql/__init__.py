"""SQL files: splitting them, what a statement says of itself, and a change's folder of them."""
