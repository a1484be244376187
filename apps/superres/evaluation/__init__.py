"""How good a network is on sharp pictures, as a table and as a page."""
