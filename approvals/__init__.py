"""Changing the world: nothing is here yet that can. See docs/adr/."""
