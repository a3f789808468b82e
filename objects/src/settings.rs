//! Where a store is, and the credentials of the one that asks.

use std::path::{Path, PathBuf};

use rusty_s3::{Bucket, Credentials, UrlStyle};

use crate::{Error, Result};

#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://host:port`. `None`: Amazon, in the region.
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    /// Certificates in PEM that verify the store.
    pub authorities: PathBuf,
    /// Whether plain text may leave this machine.
    pub plain: bool,
    pub credentials: Credentials,
}

impl Settings {
    pub(crate) fn bucket(&self) -> Result<Bucket> {
        let (endpoint, style) = match &self.endpoint {
            Some(endpoint) => (endpoint.clone(), UrlStyle::Path),
            None => (format!("https://s3.{}.amazonaws.com", self.region), UrlStyle::VirtualHost),
        };
        let wrong = |why: String| Error::Wrong(format!("the endpoint {endpoint} of the store: {why}"));
        if !endpoint.is_ascii() {
            return Err(wrong("its host must be in ASCII, as xn--...".to_owned()));
        }
        let url = endpoint.parse().map_err(|_| wrong("it is no URL, such as https://host:port".to_owned()))?;
        let bucket = Bucket::new(url, style, self.bucket.clone(), self.region.clone())
            .map_err(|error| wrong(format!("{error}, with the bucket {}", self.bucket)))?;
        let host = bucket.base_url().host_str().unwrap_or_default();
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if bucket.base_url().scheme() == "http" && !is_here && !self.plain {
            return Err(wrong("http would send everything in plain text: use https".to_owned()));
        }
        Ok(bucket)
    }
}

/// Those of a file in the form of Amazon's tools (the section `default`, or none), or those of the
/// variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
pub fn credentials(file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Credentials> {
    let of_file = file.map(read).transpose()?;
    let text = of_file.as_deref();
    let value = |name: &str| match text {
        Some(text) => entry(text, &name.to_ascii_lowercase()),
        None => variable(name).filter(|value| !value.trim().is_empty()),
    };
    let from = file.map_or("the environment".to_owned(), |file| file.display().to_string());
    let needed = |name: &str| value(name).ok_or_else(|| Error::Wrong(format!("{from} has no {name}")));
    let (key, secret) = (needed("AWS_ACCESS_KEY_ID")?, needed("AWS_SECRET_ACCESS_KEY")?);
    Ok(match value("AWS_SESSION_TOKEN") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| Error::File { path: file.display().to_string(), error })
}

/// `name = value`, of the section `default` or before the first one.
fn entry(text: &str, wanted: &str) -> Option<String> {
    let mut is_default = true;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_default = section.trim_end_matches(']').trim() == "default";
        } else if let Some((name, value)) = line.split_once('=').filter(|_| is_default)
            && name.trim().eq_ignore_ascii_case(wanted)
            && !value.trim().is_empty()
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_file_or_of_the_variables() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("credentials");
        let text =
            "[other]\naws_access_key_id = O\n\n[default]\n# mine\naws_access_key_id=K\nAWS_SECRET_ACCESS_KEY = s=/+\n";
        std::fs::write(&file, text).expect("written");
        let found = credentials(Some(&file), |_| Some("not asked".to_owned())).expect("found");
        assert_eq!((found.key(), found.secret(), found.token()), ("K", "s=/+", None));
        assert!(!format!("{found:?}").contains("s=/+"), "{found:?}");

        let found = credentials(None, |name| Some(name.to_ascii_lowercase())).expect("found");
        assert_eq!((found.key(), found.token()), ("aws_access_key_id", Some("aws_session_token")));
        let missing = credentials(None, |name| (name == "AWS_ACCESS_KEY_ID").then(|| "K".to_owned()));
        assert_eq!(missing.expect_err("missing").to_string(), "the environment has no AWS_SECRET_ACCESS_KEY");
        assert!(matches!(credentials(Some(&folder.path().join("none")), |_| None), Err(Error::File { .. })));
    }

    #[test]
    fn an_endpoint_is_private_to_this_machine_or_encrypted() {
        let settings = |endpoint: &str, plain| Settings {
            endpoint: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
            region: "eu-central-1".to_owned(),
            bucket: "backups".to_owned(),
            authorities: PathBuf::new(),
            plain,
            credentials: Credentials::new("K", "s"),
        };
        for (endpoint, plain, url) in [
            ("", false, Some("https://backups.s3.eu-central-1.amazonaws.com/")),
            ("https://s3.example", false, Some("https://s3.example/backups/")),
            ("http://127.0.0.1:9000", false, Some("http://127.0.0.1:9000/backups/")),
            ("http://10.0.0.1:9000", false, None),
            ("http://10.0.0.1:9000", true, Some("http://10.0.0.1:9000/backups/")),
            ("ftp://s3.example", true, None),
            ("https://bücher.example", false, None),
            ("s3.example", false, None),
        ] {
            let bucket = settings(endpoint, plain).bucket();
            let found = bucket.as_ref().ok().map(|bucket| bucket.base_url().as_str());
            assert_eq!(found, url, "{endpoint}");
        }
    }
}
