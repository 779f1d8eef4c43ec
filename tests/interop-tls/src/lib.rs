//! National TLS against implementations of others: see `tests`.
