//! Turns `proto/` into Rust code and a descriptor set, without `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

const PROTO_FILES: &[&str] = &["ticketing/v1/operations.proto", "ticketing/v1/ticketing.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(PROTO_FILES)?;

    // Served by reflection, with the comments in it, so that `grpcurl describe` shows them.
    #[expect(clippy::disallowed_methods, reason = "Cargo tells build scripts by the environment")]
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
