//! Objects as files and bytes.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::header::CONTENT_LENGTH;
use md5::{Digest, Md5};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, Method, S3Action};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::ask::{Ask, Failure, Pacing, Tries, VALID, next};
use crate::wire::Wire;
use crate::{Error, Result, Settings};

/// A bucket.
pub struct Store {
    pub(crate) bucket: Bucket,
    pub(crate) credentials: Credentials,
    pub(crate) wire: Wire,
    pub(crate) pacing: Pacing,
}

/// The keys below a prefix, and the folders beside them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub keys: Vec<String>,
    /// Each ends in `/`. Only of a list that does not enter folders.
    pub folders: Vec<String>,
}

/// Pages of a list; each has a thousand keys.
const MOST_PAGES: usize = 10_000;
/// The sum that a store compares with what it has received.
const SUM: &str = "content-md5";

impl Store {
    pub fn open(settings: Settings, pacing: Pacing) -> Result<Store> {
        let bucket = settings.bucket()?;
        let wire = Wire::new(&settings.authorities);
        Ok(Store { bucket, credentials: settings.credentials, wire, pacing })
    }

    /// The file as an object, which replaces an earlier one. It is complete, and as long as the
    /// file, when this returns.
    pub async fn put(&self, key: &str, path: &Path) -> Result<()> {
        let failed = |error| Error::File { path: path.display().to_string(), error };
        let mut file = File::open(path).await.map_err(failed)?;
        let bytes = file.metadata().await.map_err(failed)?.len();
        if bytes > self.pacing.part {
            self.put_parts(key, path, &mut file, bytes).await?;
        } else {
            let mut whole = Vec::new();
            file.read_to_end(&mut whole).await.map_err(failed)?;
            self.put_bytes(key, whole.into()).await?;
        }
        self.expect(key, bytes).await
    }

    pub async fn put_bytes(&self, key: &str, bytes: Bytes) -> Result<()> {
        let (headers, body) = summed(bytes);
        let sign = || {
            let mut action = self.bucket.put_object(Some(&self.credentials), key);
            headers.iter().for_each(|(name, value)| action.headers_mut().insert(*name, value.clone()));
            action.sign(VALID).into()
        };
        let ask = Ask { what: format!("put {key}"), method: Method::Put, sign: &sign, headers: &headers, body };
        self.ask(&ask).await.map(drop)
    }

    async fn expect(&self, key: &str, bytes: u64) -> Result<()> {
        match self.size(key).await? {
            Some(found) if found == bytes => Ok(()),
            found => {
                let why = format!("{bytes} bytes were sent, and the store has {}", found.unwrap_or_default());
                Err(Error::Later { what: format!("put {key}"), why, attempts: 1 })
            }
        }
    }

    /// `None`: there is no such object.
    pub async fn size(&self, key: &str) -> Result<Option<u64>> {
        let sign = || self.bucket.head_object(Some(&self.credentials), key).sign(VALID).into();
        let ask =
            Ask { what: format!("look at {key}"), method: Method::Head, sign: &sign, headers: &[], body: Bytes::new() };
        match self.ask(&ask).await {
            Ok(said) => {
                let length = said.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                Ok(Some(length.unwrap_or_default()))
            }
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A small object. `None`: there is none.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Bytes>> {
        let sign = || self.bucket.get_object(Some(&self.credentials), key).sign(VALID).into();
        let ask =
            Ask { what: format!("get {key}"), method: Method::Get, sign: &sign, headers: &[], body: Bytes::new() };
        match self.ask(&ask).await {
            Ok(said) => Ok(Some(said.body)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object as this file, which is empty. After a break it goes on where it was.
    pub async fn get(&self, key: &str, path: &Path, file: std::fs::File) -> Result<u64> {
        let mut file = File::from_std(file);
        let (mut have, mut tries) = (0, Tries::new(&self.pacing));
        loop {
            let before = have;
            match self.rest(key, path, &mut file, &mut have).await {
                Ok(()) => return Ok(have),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(why)) => {
                    if have > before {
                        tries.progress();
                    }
                    tries.pause(&format!("get {key}"), why).await?;
                }
            }
        }
    }

    async fn rest(&self, key: &str, path: &Path, file: &mut File, have: &mut u64) -> std::result::Result<(), Failure> {
        let failed = |error| Failure::Final(Error::File { path: path.display().to_string(), error });
        let sign = || self.bucket.get_object(Some(&self.credentials), key).sign(VALID).into();
        let range = [("range", format!("bytes={have}-"))];
        let headers: &[_] = if *have > 0 { &range } else { &[] };
        let ask = Ask { what: format!("get {key}"), method: Method::Get, sign: &sign, headers, body: Bytes::new() };
        let answer = match self.attempt(&ask).await {
            // Everything had come before the break.
            Err(Failure::Final(Error::Refused { status: 416, .. })) if *have > 0 => return Ok(()),
            other => other?,
        };
        if *have > 0 && answer.response.status() != 206 {
            // A store that knows no ranges begins again.
            file.set_len(0).await.map_err(failed)?;
            file.rewind().await.map_err(failed)?;
            *have = 0;
        }
        let mut body = answer.response.into_body();
        while let Some(bytes) = next(&mut body, self.pacing.silence).await? {
            file.write_all(&bytes).await.map_err(failed)?;
            *have += bytes.len() as u64;
        }
        file.flush().await.map_err(failed)
    }

    /// All keys that begin with the prefix. `deep`: also those within folders.
    pub async fn list(&self, prefix: &str, deep: bool) -> Result<Listing> {
        let (mut listing, mut token) = (Listing::default(), None::<String>);
        for _ in 0..MOST_PAGES {
            let sign = || {
                let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
                action.with_prefix(prefix);
                if !deep {
                    action.with_delimiter("/");
                }
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                action.sign(VALID).into()
            };
            let what = format!("list {prefix}");
            let ask = Ask { what: what.clone(), method: Method::Get, sign: &sign, headers: &[], body: Bytes::new() };
            let said = self.ask(&ask).await?;
            let page = ListObjectsV2::parse_response(&String::from_utf8_lossy(&said.body));
            let page = page.map_err(|error| {
                Error::Wrong(format!("{what}: the answer is none of S3 ({error}): is this the address of a store?"))
            })?;
            listing.keys.extend(page.contents.into_iter().map(|object| object.key));
            listing.folders.extend(page.common_prefixes.into_iter().map(|folder| folder.prefix));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(listing);
            }
        }
        Err(Error::Wrong(format!("list {prefix}: there are too many objects")))
    }

    /// There is no such object any more, also if there was none.
    pub async fn remove(&self, key: &str) -> Result<()> {
        let sign = || self.bucket.delete_object(Some(&self.credentials), key).sign(VALID).into();
        let ask = Ask {
            what: format!("remove {key}"),
            method: Method::Delete,
            sign: &sign,
            headers: &[],
            body: Bytes::new(),
        };
        match self.ask(&ask).await {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}

/// A body and the header with its sum.
pub fn summed(bytes: Bytes) -> ([(&'static str, String); 1], Bytes) {
    ([(SUM, STANDARD.encode(Md5::digest(&bytes)))], bytes)
}
