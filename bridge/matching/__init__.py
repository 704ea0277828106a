"""Who is this, and where? Comparable keys, candidates from the mirror in one round trip, a decision with its evidence."""
