//! The place of a backup, or of several: a directory of this machine, or a path in a bucket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Folder(PathBuf),
    /// The path has no `/` at its begin and its end.
    Bucket {
        bucket: String,
        path: String,
    },
}

const SCHEME: &str = "s3://";

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let Some(rest) = text.strip_prefix(SCHEME) else { return Ok(Place::Folder(PathBuf::from(text))) };
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let is_path = path.is_empty() || path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/+=".contains(c);
        if bucket.is_empty() || !is_path || !path.chars().all(is_plain) {
            return Err(format!("wants {SCHEME}BUCKET/PATH, with letters, digits and -._+= in the path"));
        }
        Ok(Place::Bucket { bucket: bucket.to_owned(), path: path.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::Bucket { bucket, path } if path.is_empty() => write!(f, "{SCHEME}{bucket}"),
            Place::Bucket { bucket, path } => write!(f, "{SCHEME}{bucket}/{path}"),
        }
    }
}

/// The store of the buckets.
#[derive(Args, Clone, Debug)]
pub struct Objects {
    /// Address of an S3-compatible store, for s3://...; without it Amazon's in the region
    #[arg(long, value_name = "URL", env = "TROUPE_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    #[arg(long, value_name = "REGION", default_value = "us-east-1", env = "TROUPE_S3_REGION")]
    pub s3_region: String,
    /// File with the keys of the store, in the form of Amazon's tools; without it AWS_ACCESS_KEY_ID
    /// and AWS_SECRET_ACCESS_KEY have them
    #[arg(long, value_name = "FILE", env = "TROUPE_S3_CREDENTIALS")]
    pub s3_credentials: Option<PathBuf>,
    /// PEM file of authorities that verify the certificate of the store
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt", env = "TROUPE_S3_CA")]
    pub s3_ca: PathBuf,
    /// Send backups in plain text over a network of your own
    #[arg(long)]
    pub s3_plain: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_path_in_a_bucket() {
        let bucket = |bucket: &str, path: &str| Place::Bucket { bucket: bucket.to_owned(), path: path.to_owned() };
        for (text, place, shown) in [
            ("backups", Place::Folder("backups".into()), "backups"),
            ("/var/lib/b", Place::Folder("/var/lib/b".into()), "/var/lib/b"),
            ("s3://b", bucket("b", ""), "s3://b"),
            ("s3://b/", bucket("b", ""), "s3://b"),
            ("s3://b/chat/nightly/", bucket("b", "chat/nightly"), "s3://b/chat/nightly"),
        ] {
            assert_eq!(text.parse(), Ok(place.clone()), "{text}");
            assert_eq!(place.to_string(), shown);
        }
        for wrong in ["s3://", "s3:///a", "s3://b//a", "s3://b/../a", "s3://b/a b", "s3://b/\u{1b}"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
