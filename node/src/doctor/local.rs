//! Facts about this machine: limits, folders, files and the disk. Blocks for the time of some
//! synced writes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statfs::statfs;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access, geteuid};
use tokio::time::Instant;
use troupe_raft::transport::tls::clients::ClientIdentity;
use troupe_runtime::Platform;

use super::facts::{Disk, Facts, Folder, Medium, Validity};
use crate::config::{Config, Settings, Source};

/// Synced writes whose median is taken, and the time after which no further one begins.
const SYNCS: usize = 21;
const SYNC_TIME: Duration = Duration::from_secs(2);
/// As a small batch of the log of a shard.
const SYNC_BYTES: [u8; 4096] = [0; 4096];

/// Kinds of file systems by the number that the system gives them: tmpfs, ramfs.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
/// NFS, SMB in three versions, 9P, Ceph.
const OVER_NETWORK: [u32; 6] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x00c3_6400];

/// The soft and the hard limit of open files.
pub fn descriptors() -> Option<(u64, u64)> {
    getrlimit(Resource::RLIMIT_NOFILE).ok()
}

pub fn look(config: &Config, settings: &Settings, file: Option<&Path>, facts: &mut Facts) {
    let data_dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    // The data folder, or the one in which it will be made.
    let near = data_dir.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    facts.folder = Some(folder(&data_dir, near));
    facts.disk = disk(near);
    facts.open_secrets = secrets(config, settings, file).into_iter().filter(|path| any_user_reads(path)).collect();
    facts.certificate = config.client_tls.own.as_ref().map(|(path, key)| (path.clone(), validity(path, key)));
}

fn folder(data_dir: &Path, near: &Path) -> Folder {
    let found = fs::metadata(data_dir).ok();
    let user = geteuid().as_raw();
    let names = fs::read_dir(data_dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    Folder {
        path: data_dir.to_owned(),
        exists: found.is_some(),
        writable: near.is_dir() && access(near, AccessFlags::W_OK | AccessFlags::X_OK).is_ok(),
        owner: found.as_ref().map_or(user, MetadataExt::uid),
        user,
        mode: found.as_ref().map_or(0, |found| found.permissions().mode()),
        set_aside: names.filter(|name| name.to_string_lossy().starts_with(crate::disk::SET_ASIDE)).count(),
    }
}

fn disk(near: &Path) -> Option<Disk> {
    let space = statvfs(near).ok()?;
    // The number has 32 bits on each platform, in integers of different sizes.
    let kind = statfs(near).map(|found| found.filesystem_type().0 as u32).unwrap_or_default();
    let medium = match kind {
        kind if IN_MEMORY.contains(&kind) => Medium::Memory,
        kind if OVER_NETWORK.contains(&kind) => Medium::Network,
        _ => Medium::Disk,
    };
    let unit = space.fragment_size();
    let (free, total) = (space.blocks_available() * unit, space.blocks() * unit);
    Some(Disk { free, total, medium, sync: sync_time(near) })
}

/// The median time of a synced write to a file without a name, which ends with this process.
fn sync_time(folder: &Path) -> Option<Duration> {
    let path = folder.join(format!(".troupe-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).ok()?;
    fs::remove_file(&path).ok()?;
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < SYNCS && begun.elapsed() < SYNC_TIME {
        let before = Instant::now();
        file.write_all(&SYNC_BYTES).ok()?;
        file.sync_data().ok()?;
        times.push(before.elapsed());
    }
    times.sort();
    times.get(times.len() / 2).copied()
}

/// Files of this configuration that hold secrets.
fn secrets(config: &Config, settings: &Settings, file: Option<&Path>) -> Vec<PathBuf> {
    let token_file = Some(settings.get("cluster.token_file").0).filter(|path| !path.is_empty()).map(PathBuf::from);
    let (inline, source) = settings.get("cluster.token");
    let holds_token = !inline.is_empty() && matches!(source, Source::File(..));
    let key = config.client_tls.own.as_ref().map(|(_, key)| key.clone());
    [token_file, key, file.filter(|_| holds_token).map(Path::to_owned)].into_iter().flatten().collect()
}

fn any_user_reads(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

fn validity(certificate: &Path, key: &Path) -> Validity {
    let Ok(identity) = ClientIdentity::read(certificate, key) else { return Validity::Unreadable };
    let Some(first) = identity.chain.first() else { return Validity::Unreadable };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(first) else { return Validity::Unreadable };
    let now = i64::try_from(Platform::production().clock.now().0 / 1_000).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    match now < validity.not_before.timestamp() {
        true => Validity::NotYet,
        false => Validity::EndsIn(validity.not_after.timestamp() - now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_of_a_disk_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(disk(folder.path()).expect("a disk").sync.is_some());
        assert!(fs::read_dir(folder.path()).expect("there").next().is_none());
        assert!(sync_time(&folder.path().join("missing")).is_none());
    }

    #[test]
    fn a_folder_that_does_not_exist_is_judged_by_its_parent() {
        let parent = tempfile::tempdir().expect("a folder");
        let missing = folder(&parent.path().join("data"), parent.path());
        assert!(!missing.exists && missing.writable);
        fs::create_dir(parent.path().join("db.damaged-1")).expect("made");
        let here = folder(parent.path(), parent.path());
        assert!(here.exists && here.owner == here.user && here.set_aside == 1);
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = rcgen::CertificateParams::new(vec!["chat.example".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(2001, 1, 1));
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        fs::write(&cert_file, certificate.pem()).expect("written");
        fs::write(&key_file, key.serialize_pem()).expect("written");
        assert!(matches!(validity(&cert_file, &key_file), Validity::EndsIn(left) if left < 0));
        assert_eq!(validity(&key_file, &cert_file), Validity::Unreadable);
        assert!(any_user_reads(&cert_file));
    }
}
