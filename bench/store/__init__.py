"""`make bench-store`: what the store takes and finds, on both databases, beside the bare driver."""
