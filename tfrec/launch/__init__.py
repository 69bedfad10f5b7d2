"""Products before they are on sale: how they may start, with whom, and how to find out."""
