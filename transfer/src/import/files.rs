//! Files of a bundle into a conversation of the cluster, each before the event that refers to it.

use bytes::Bytes;
use troupe_core::FileHash;
use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::Import;
use crate::blobs::hash_of;
use crate::bundle::Reader;
use crate::cluster::{Cluster, Refused, other_answer};
use crate::line::FileLine;
use crate::{Error, Result};

/// Finds the file in the cluster, or uploads its missing chunks. A refusal ends this upload only:
/// the events that name the file come without it.
pub(super) async fn import<C: Cluster>(
    import: &mut Import<'_, C>,
    bundle: &Reader,
    file: &FileLine,
    conversation: String,
) -> Result<()> {
    let hash = hash_of(file)?;
    let place = format!("file {hash} of {conversation}");
    let Some(owner) = import.users.get(&file.by).copied() else {
        import.report.drop("files of users without an account", &place);
        return Ok(());
    };
    let begin = wire::ImportFile {
        conversation,
        owner: owner.0,
        hash: Bytes::copy_from_slice(&hash.0),
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        size: file.size,
        offset: 0,
        content: Bytes::new(),
    };
    match upload(import, bundle, hash, begin).await {
        Ok(Ok(false)) => import.report.met("files", 1),
        Ok(Ok(true)) => import.report.took("files", 1),
        Ok(Err(refused)) if refused.is_of_the_connection() => return Err(Error::Refused { doing: place, refused }),
        Ok(Err(refused)) => {
            import.report.fail(&place, &refused.code, &refused.text);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

type Uploaded = std::result::Result<bool, Refused>;

/// True: some of it was missing.
async fn upload<C: Cluster>(
    import: &Import<'_, C>,
    bundle: &Reader,
    hash: FileHash,
    begin: wire::ImportFile,
) -> Result<Uploaded> {
    let of =
        wire::ExportFile { conversation: begin.conversation.clone(), hash: begin.hash.clone(), offset: begin.size };
    let part = Some(wire::export::Part::File(of));
    match import.ask(Operation::Export(wire::Export { part })).await {
        Ok(_) => return Ok(Ok(false)),
        Err(refused) if refused.code == "no_such_file" => {}
        Err(refused) => return Ok(Err(refused)),
    }
    let mut chunks = bundle.file(hash)?;
    let mut next = begin.clone();
    loop {
        let received = match import.ask(Operation::ImportFile(next)).await {
            Ok(Answer::Upload(upload)) => upload.received,
            Ok(_) => return Err(other_answer("a file")),
            Err(refused) => return Ok(Err(refused)),
        };
        let content = chunks.from(received)?;
        if content.is_empty() {
            return Ok(Ok(true));
        }
        next = wire::ImportFile { offset: received, content, ..begin.clone() };
    }
}
