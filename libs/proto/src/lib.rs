//! Generated protobuf and gRPC code of every context, with the descriptor set for reflection.
