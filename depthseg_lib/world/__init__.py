"""The embedded world: models of things, streets built of them from a seed, and the ray-caster that pictures them."""
