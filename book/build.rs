//! Lists the pages of `docs/`, so that each of them is part of the program.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let docs = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?).join("../docs");
    let docs = docs.canonicalize()?;
    println!("cargo:rerun-if-changed=../docs");
    let mut pages = Vec::new();
    gather(&docs, &docs, &mut pages)?;
    pages.sort();
    let mut list = String::from("pub const FILES: &[(&str, &str)] = &[\n");
    for (name, path) in pages {
        list.push_str(&format!("    ({name:?}, include_str!({path:?})),\n"));
    }
    list.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets it")?);
    Ok(std::fs::write(out.join("files.rs"), list)?)
}

/// Names below `docs/`, and paths.
fn gather(docs: &Path, folder: &Path, pages: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(docs, &path, pages)?;
        } else if path.extension().is_some_and(|kind| kind == "md") {
            let name = path.strip_prefix(docs).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            pages.push((name, path));
        }
    }
    Ok(())
}
