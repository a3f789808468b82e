//! `troupe backup list`: the complete backups in a folder of backups, and how one is shown.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::bucket::Backups;
use super::manifest::Manifest;
use super::place::{Objects, Place};
use crate::accounts::moment;
use crate::arguments::Output;

pub async fn run(place: &Place, objects: &Objects, output: Output) -> Result<()> {
    let found: Vec<(String, Manifest)> = match place {
        Place::Folder(folder) => {
            complete(folder)?.into_iter().map(|(path, manifest)| (path.display().to_string(), manifest)).collect()
        }
        Place::Bucket { bucket, path } => {
            let backups = Backups::of_folder(objects, bucket, path)?;
            let found = backups.list().await?.into_iter();
            found.filter_map(|(name, manifest)| Some((backups.shown(&name), manifest?))).collect()
        }
    };
    output.print(|| found.iter().map(|(shown, manifest)| described(shown, manifest)).collect(), || table(&found));
    Ok(())
}

/// Those that have a readable manifest, the newest first.
pub fn complete(folder: &Path) -> Result<Vec<(PathBuf, Manifest)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if let Ok(manifest) = Manifest::read(&path) {
            found.push((path, manifest));
        }
    }
    found.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.taken_ms));
    Ok(found)
}

/// A backup for programs.
pub fn described(shown: &str, manifest: &Manifest) -> Value {
    json!({
        "path": shown,
        "id": manifest.id,
        "cluster_id": manifest.cluster_id,
        "troupe": manifest.troupe,
        "taken_ms": manifest.taken_ms,
        "shards": manifest.shards.len(),
        "rows": manifest.rows,
        "bytes": manifest.bytes(),
        "digest": manifest.digest,
    })
}

/// The line about a backup that was just taken.
pub fn taken(shown: &str, manifest: &Manifest) -> String {
    let (rows, shards, digest) = (manifest.rows, manifest.shards.len(), &manifest.digest);
    format!("{shown}: {rows} rows of {shards} shards, digest {digest}\n")
}

fn table(found: &[(String, Manifest)]) -> String {
    let mut out = format!("{:<21}{:<8}{:>12}{:>15}  {:<12}{}\n", "TAKEN", "SHARDS", "ROWS", "BYTES", "VERSION", "PATH");
    for (shown, manifest) in found {
        let Manifest { troupe, rows, .. } = manifest;
        let (time, shards, bytes) = (moment(manifest.taken_ms), manifest.shards.len(), manifest.bytes());
        out.push_str(&format!("{time:<21}{shards:<8}{rows:>12}{bytes:>15}  {troupe:<12}{shown}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_backups_are_listed_from_the_newest() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut manifest = Manifest::sample();
        for (name, taken_ms) in [("old", 1_000), ("new", 1_700_000_000_000)] {
            manifest.taken_ms = taken_ms;
            fs::create_dir(folder.path().join(name)).expect("made");
            manifest.write(&folder.path().join(name)).expect("written");
        }
        fs::create_dir(folder.path().join("2020-01-01T00-00-00Z.part")).expect("made");
        let found = complete(folder.path()).expect("read");
        let found: Vec<(String, Manifest)> =
            found.into_iter().map(|(path, manifest)| (path.display().to_string(), manifest)).collect();
        let shown: Vec<Value> = found.iter().map(|(path, manifest)| described(path, manifest)).collect();
        assert_eq!(
            (shown.len(), &shown[0]["taken_ms"], &shown[1]["taken_ms"]),
            (2, &1_700_000_000_000_u64.into(), &1_000.into())
        );
        assert!(
            table(&found).lines().nth(1).is_some_and(|line| line.starts_with("2023-11-14 22:13:20")),
            "{}",
            table(&found)
        );
        assert!(complete(&folder.path().join("none")).is_err());
    }
}
