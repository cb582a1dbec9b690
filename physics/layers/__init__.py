"""Two-dimensional crystals: lattices, beam damage, the walk of an atom, surveys of defects."""
