//! The contract of AutomatGLPI as Rust types: generated from `proto/`, nothing else.

/// Messages, client and server of the package `ticketing.v1`.
pub mod v1 {
    tonic::include_proto!("ticketing.v1");
}

/// The compiled `proto/` files with their comments, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("descriptors");
