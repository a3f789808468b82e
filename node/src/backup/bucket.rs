//! Backups in a bucket: the files of a backup's directory as objects below its name. The manifest
//! is sent last and removed first, so that a backup without one is incomplete.
//!
//! A store confirms the sum of each part that it receives, and the size of each object is compared.
//! The SHA-256 of the files is in the manifest, and reading them back compares it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use troupe_objects::{Pacing, Settings, Store, credentials};
use troupe_runtime::private;

use super::manifest::{FILE, Manifest};
use super::place::{Objects, Place};
use crate::arguments::Output;

/// The backups below one path.
pub struct Backups {
    store: Store,
    bucket: String,
    /// Empty, or with a `/` at its end.
    prefix: String,
}

impl Backups {
    /// All of a folder.
    pub fn of_folder(objects: &Objects, bucket: &str, path: &str) -> Result<Backups> {
        let settings = Settings {
            endpoint: objects.s3_endpoint.clone(),
            region: objects.s3_region.clone(),
            bucket: bucket.to_owned(),
            authorities: objects.s3_ca.clone(),
            plain: objects.s3_plain,
            credentials: credentials(objects.s3_credentials.as_deref(), |name| std::env::var(name).ok())?,
        };
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(Backups { store: Store::open(settings, Pacing::default())?, bucket: bucket.to_owned(), prefix })
    }

    /// The folder of one, and its name.
    pub fn of_one(objects: &Objects, bucket: &str, path: &str) -> Result<(Backups, String)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        ensure!(!name.is_empty(), "s3://{bucket} names no backup: s3://{bucket}/NAME");
        Ok((Backups::of_folder(objects, bucket, folder)?, name.to_owned()))
    }

    pub fn shown(&self, name: &str) -> String {
        Place::Bucket { bucket: self.bucket.clone(), path: format!("{}{name}", self.prefix) }.to_string()
    }

    /// The file as an object of the backup `name`.
    pub async fn put_file(&self, name: &str, file: &str, path: &Path) -> Result<()> {
        Ok(self.store.put(&self.key(name, file), path).await?)
    }

    pub async fn put_bytes(&self, name: &str, file: &str, bytes: Vec<u8>) -> Result<()> {
        Ok(self.store.put_bytes(&self.key(name, file), bytes.into()).await?)
    }

    pub async fn get_bytes(&self, name: &str, file: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.store.get_bytes(&self.key(name, file)).await?.map(Vec::from))
    }

    pub async fn get_file(&self, name: &str, file: &str, path: &Path) -> Result<()> {
        self.store.get(&self.key(name, file), path, private::create(path)?).await?;
        Ok(())
    }

    /// The names of the objects of the backup `name` in a folder of it.
    pub async fn names(&self, name: &str, folder: &str) -> Result<Vec<String>> {
        let prefix = self.key(name, &format!("{folder}/"));
        let keys = self.store.list(&prefix, false).await?.keys;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn key(&self, name: &str, file: &str) -> String {
        format!("{}{name}/{file}", self.prefix)
    }

    /// Whether nothing has this name.
    pub async fn is_free(&self, name: &str) -> Result<bool> {
        Ok(self.store.list(&self.key(name, ""), true).await?.keys.is_empty())
    }

    pub async fn expect_nothing(&self, name: &str) -> Result<()> {
        ensure!(self.is_free(name).await?, "{} is not empty: each backup wants a name of its own", self.shown(name));
        Ok(())
    }

    /// Sends the files of a directory.
    pub async fn put(&self, name: &str, directory: &Path, manifest: &Manifest, output: Output) -> Result<()> {
        for shard in &manifest.shards {
            self.store.put(&self.key(name, &shard.file), &directory.join(&shard.file)).await?;
            output.say(&format!("{}: {} bytes, sent", shard.file, shard.bytes));
        }
        Ok(self.store.put(&self.key(name, FILE), &directory.join(FILE)).await?)
    }

    /// Receives the files of a backup into a directory, which is empty.
    pub async fn fetch(&self, name: &str, directory: &Path, output: Output) -> Result<()> {
        let shown = self.shown(name);
        let manifest = self.manifest(name).await?.with_context(|| {
            format!("{shown}: no backup here, or one that was never finished: take it again, or choose another")
        })?;
        for shard in &manifest.shards {
            let path = directory.join(&shard.file);
            let received = self.store.get(&self.key(name, &shard.file), &path, private::create(&path)?).await?;
            ensure!(received == shard.bytes, "{shown}: {} is damaged: it has {received} bytes", shard.file);
            output.say(&format!("{}: {received} bytes, received", shard.file));
        }
        manifest.write(directory)
    }

    /// `None`: it has none, so it is no complete backup.
    pub async fn manifest(&self, name: &str) -> Result<Option<Manifest>> {
        let Some(bytes) = self.store.get_bytes(&self.key(name, FILE)).await? else { return Ok(None) };
        Manifest::parse(&String::from_utf8_lossy(&bytes), &self.shown(name)).map(Some)
    }

    /// All folders, the newest complete backup first. One with an unreadable manifest,
    /// as that of a later version, is not among them, so nothing removes it.
    pub async fn list(&self) -> Result<Vec<(String, Option<Manifest>)>> {
        let mut found = Vec::new();
        for folder in self.store.list(&self.prefix, false).await?.folders {
            let Some(name) = folder.strip_prefix(&self.prefix).map(|name| name.trim_end_matches('/').to_owned()) else {
                continue;
            };
            let bytes = self.store.get_bytes(&self.key(&name, FILE)).await?;
            let manifest = bytes.map(|bytes| Manifest::parse(&String::from_utf8_lossy(&bytes), &self.shown(&name)));
            match manifest {
                None => found.push((name, None)),
                Some(Ok(manifest)) => found.push((name, Some(manifest))),
                Some(Err(_)) => {}
            }
        }
        found.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.as_ref().map(|manifest| manifest.taken_ms)));
        Ok(found)
    }

    /// Half removed, it has no manifest any more.
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.store.remove(&self.key(name, FILE)).await?;
        for key in self.store.list(&self.key(name, ""), true).await?.keys {
            self.store.remove(&key).await?;
        }
        Ok(())
    }
}
