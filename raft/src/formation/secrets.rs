//! Where this node's token comes from, and when it may do without one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing::info;
use troupe_runtime::NodeCtx;
use troupe_runtime::executor::{Lane, run};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use crate::address::is_loopback;
use crate::cluster::{ClusterConfig, StartError};
use crate::port::Security;
use crate::token::Token;

/// In the data directory, for `troupe token show`.
const FILE: &str = "token";

/// The configured token, or the one that this node once made for its cluster of one, or, for such a newborn, a fresh one.
pub async fn security(ctx: &NodeCtx, engine: &Arc<dyn Engine>, config: &ClusterConfig) -> Result<Security, StartError> {
    let given = config.token.as_deref().map(Token::parse).transpose();
    let given = given.map_err(|error| StartError::Refused(error.to_string()))?;
    if config.insecure {
        // A simulated node has no data directory, and no network that anybody could listen on.
        if config.data_dir.is_some() && !is_loopback(&config.listen) {
            return Err(StartError::Refused(format!(
                "--insecure is refused on {}: without TLS whoever reaches this address controls the cluster; listen on 127.0.0.1, or use a token",
                config.listen
            )));
        }
        return Ok(Security::Insecure(given));
    }
    if let Some(token) = given {
        return Ok(Security::Token(token));
    }
    if let Some(row) = engine.get(Family::Node, node::TOKEN)? {
        let token = std::str::from_utf8(&row).ok().and_then(|text| Token::parse(text).ok());
        let token = token.ok_or_else(|| EngineError::Fatal("the row of the join token is damaged".into()))?;
        return Ok(Security::Token(token));
    }
    if config.join.iter().any(|address| *address != config.advertise) {
        return Err(StartError::Refused(
            "a node that joins others needs the cluster's join token: copy it from a node of the cluster (`troupe token show`), or make one for a new cluster (`troupe token new`)".into(),
        ));
    }
    let token = Token::generate(&ctx.rng);
    keep(ctx, engine, config.data_dir.as_deref(), &token).await?;
    info!(token = %token.fingerprint(), "made a join token for this cluster of one");
    Ok(Security::Token(token))
}

/// In the engine, which this node reads, and as a file for the operator.
async fn keep(
    ctx: &NodeCtx,
    engine: &Arc<dyn Engine>,
    directory: Option<&Path>,
    token: &Token,
) -> Result<(), StartError> {
    let (engine, text) = (Arc::clone(engine), token.reveal());
    let file = directory.map(|directory| directory.join(FILE));
    let kept = run(ctx.executor.as_ref(), Lane::Flush, move || {
        let mut batch = Batch::default();
        batch.put(Family::Node, node::TOKEN, text.as_bytes());
        engine.write(batch, Durability::Synced)?;
        file.map_or(Ok(()), |file| write_secret(&file, &text)).map_err(StartError::from)
    });
    kept.await.unwrap_or_else(|| Err(StartError::Refused("this node is stopping".into())))
}

/// Readable by this user alone from its first moment on.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
