"""The scanning probe: feedback loop, cantilever, surfaces and stage."""
