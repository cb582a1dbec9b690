"""Pure simulators: arrays in, arrays out."""
