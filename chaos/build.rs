//! Compiles the fault shim separately, so that the program can carry it. A preloaded library must
//! be a file of its own, and a separately installed one could be missing.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let source = "../fault-shim/src/lib.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let library = PathBuf::from(variable("OUT_DIR")).join("shim.so");
    // It depends on glibc's symbols. Elsewhere an empty file marks it as unavailable.
    if variable("CARGO_CFG_TARGET_OS") != "linux" || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        std::fs::write(&library, []).expect("the output folder can be written");
        return;
    }
    let compiled = Command::new(variable("RUSTC"))
        .args(["--edition", "2024", "--crate-name", "troupe_fault_shim", "--crate-type", "cdylib"])
        .args(["-O", "-C", "panic=abort", "-C", "strip=symbols", "--target", &variable("TARGET"), "-o"])
        .arg(&library)
        .arg(source)
        .status();
    match compiled {
        Ok(status) if status.success() => {}
        other => panic!("the fault shim does not compile: {other:?}"),
    }
}
