//! A large file, part by part. One part is in memory; a failure aborts the upload, because a store
//! keeps the parts of one that was never completed.

use std::path::Path;

use hyper::body::Bytes;
use hyper::header::ETAG;
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload};
use rusty_s3::{Method, S3Action};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::ask::{Ask, VALID, code};
use crate::store::{Store, summed};
use crate::{Error, Result};

/// Of S3: an upload has no more parts.
const MOST_PARTS: u64 = 10_000;

impl Store {
    pub(crate) async fn put_parts(&self, key: &str, path: &Path, file: &mut File, bytes: u64) -> Result<()> {
        let part = self.pacing.part.max(bytes.div_ceil(MOST_PARTS));
        let upload = self.begin(key).await?;
        let done = async {
            let mut tags = Vec::new();
            let mut left = bytes;
            while left > 0 {
                let size = left.min(part);
                let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
                let read = file.read_exact(&mut content).await;
                read.map_err(|error| Error::File { path: path.display().to_string(), error })?;
                tags.push(self.put_part(key, &upload, tags.len() as u16 + 1, content.into()).await?);
                left -= size;
            }
            self.complete(key, &upload, &tags).await
        };
        let done = done.await;
        if done.is_err() {
            // The first failure counts; a rule of the bucket removes what stays behind this one.
            drop(self.abort(key, &upload).await);
        }
        done
    }

    async fn begin(&self, key: &str) -> Result<String> {
        let sign = || self.bucket.create_multipart_upload(Some(&self.credentials), key).sign(VALID).into();
        let what = format!("begin {key}");
        let ask = Ask { what: what.clone(), method: Method::Post, sign: &sign, headers: &[], body: Bytes::new() };
        let said = self.ask(&ask).await?;
        let parsed = CreateMultipartUpload::parse_response(&String::from_utf8_lossy(&said.body));
        let parsed = parsed.map_err(|error| Error::Wrong(format!("{what}: the answer is none of S3 ({error})")))?;
        Ok(parsed.upload_id().to_owned())
    }

    async fn put_part(&self, key: &str, upload: &str, number: u16, content: Bytes) -> Result<String> {
        let (headers, body) = summed(content);
        let sign = || {
            let mut action = self.bucket.upload_part(Some(&self.credentials), key, number, upload);
            headers.iter().for_each(|(name, value)| action.headers_mut().insert(*name, value.clone()));
            action.sign(VALID).into()
        };
        let what = format!("put part {number} of {key}");
        let ask = Ask { what: what.clone(), method: Method::Put, sign: &sign, headers: &headers, body };
        let said = self.ask(&ask).await?;
        let tag = said.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned).ok_or_else(|| Error::Wrong(format!("{what}: the answer has no ETag")))
    }

    async fn complete(&self, key: &str, upload: &str, tags: &[String]) -> Result<()> {
        let action = || {
            let tags = tags.iter().map(String::as_str);
            self.bucket.complete_multipart_upload(Some(&self.credentials), key, upload, tags)
        };
        let sign = || action().sign(VALID).into();
        let what = format!("complete {key}");
        let body = Bytes::from(action().body());
        let ask = Ask { what: what.clone(), method: Method::Post, sign: &sign, headers: &[], body };
        let said = match self.ask(&ask).await {
            // The answer to an earlier attempt was lost: the size of the object decides.
            Err(error) if error.is_absent() => return Ok(()),
            other => other?,
        };
        // A store begins a success before it knows, and an error may follow.
        let text = String::from_utf8_lossy(&said.body);
        CompleteMultipartUploadResponse::parse(&text).map(drop).map_err(|_| Error::Refused {
            what,
            status: 200,
            code: code(&text).unwrap_or_default(),
        })
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<()> {
        let sign = || self.bucket.abort_multipart_upload(Some(&self.credentials), key, upload).sign(VALID).into();
        let ask =
            Ask { what: format!("abort {key}"), method: Method::Delete, sign: &sign, headers: &[], body: Bytes::new() };
        self.ask(&ask).await.map(drop)
    }
}
