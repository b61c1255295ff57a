//! The contract, served over gRPC.
