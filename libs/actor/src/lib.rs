//! The actor runtime: bounded mailboxes, leases, passivation, deadlines, micro-batches.
