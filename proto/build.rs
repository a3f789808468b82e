//! Compiles the .proto files without an installed protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = [
        "proto/client.proto",
        "proto/content.proto",
        "proto/record.proto",
        "proto/mesh.proto",
        "proto/raft.proto",
        "proto/raft/backup.proto",
        "proto/raft/formation.proto",
        "proto/raft/meta.proto",
        "proto/raft/snapshot.proto",
        "proto/raft/vitals.proto",
    ];
    let descriptors = protox::compile(files, ["proto"])?;
    // For edges that write the protocol in another form than protobuf.
    let mut client = protox::compile(["proto/client.proto"], ["proto"])?;
    client.file.iter_mut().for_each(|file| file.source_code_info = None);
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(std::path::Path::new(&out).join("client.bin"), prost::Message::encode_to_vec(&client))?;
    let mut config = prost_build::Config::new();
    config.bytes(["."]).btree_map(["."]);
    // Written by hand, so that kinds of events that are not known are kept.
    config.extern_path(".troupe.client.Event", "troupe_core::event::wire::Event");
    config.extern_path(".troupe.record.Event", "troupe_core::event::wire::Event");
    // Core reads it, and its content.
    config.extern_path(".troupe.client.Context", "troupe_core::content::Context");
    config.boxed(".troupe.client.Body.context");
    config.boxed(".troupe.record.Body.context");
    // Rare and large: a request is moved a dozen times, and is as large as its largest variant.
    config.boxed(".troupe.client.ChangeGroup.change.set");
    config.compile_fds(descriptors)?;
    Ok(())
}
