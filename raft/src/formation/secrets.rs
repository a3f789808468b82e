//! The origin of this node's token, and the conditions for running without one.

use std::sync::Arc;

use tracing::{info, warn};
use troupe_runtime::Platform;
use troupe_runtime::executor::{Lane, run};
use troupe_runtime::net::is_loopback;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::token_store::{TokenStore, Tokens, kept};
use crate::api::{ClusterConfig, StartError};
use crate::transport::port::Security;
use crate::transport::token::Token;

/// The trust of this node from its start, and its tokens, unless it runs without TLS.
pub struct Secrets {
    pub security: Security,
    pub token_store: Option<Arc<TokenStore>>,
}

/// The configured token, or its later replacement, or the one that this node once generated for its
/// cluster of one, or a new one for such a cluster.
pub async fn secrets(
    platform: &Platform,
    engine: &Arc<dyn Engine>,
    config: &ClusterConfig,
) -> Result<Secrets, StartError> {
    let given = config.token.as_deref().map(Token::parse).transpose();
    let given = given.map_err(|error| StartError::Refused(error.to_string()))?;
    if config.insecure {
        // A simulated node has no data directory, and no network that an intruder could read.
        if config.data_dir.is_some() && !is_loopback(&config.listen) {
            return Err(StartError::Refused(format!(
                "--insecure is refused on {}: without TLS every process that reaches this address controls the cluster; listen on 127.0.0.1, or use a token",
                config.listen
            )));
        }
        return Ok(Secrets { security: Security::Insecure(given), token_store: None });
    }
    let directory = config.data_dir.as_deref();
    let token_store = |tokens| TokenStore::new(Arc::clone(&platform.executor), config.data_dir.clone(), tokens);
    let held = directory.map(kept).transpose()?.flatten();
    let token_store = match (choose(given, held), row(engine)?) {
        (Some(tokens), row) => {
            let token_store = token_store(tokens);
            if row.is_some() {
                forget_row(platform, engine).await?;
            }
            token_store
        }
        (None, Some(token)) => {
            // Earlier versions kept the token in the database.
            let token_store = token_store(Tokens::only(token));
            if directory.is_some() {
                token_store.save().await?;
                forget_row(platform, engine).await?;
            }
            token_store
        }
        (None, None) if config.join.iter().any(|address| *address != config.advertise) => {
            return Err(StartError::Refused(
                "a node that joins others needs the cluster's join token: copy it from a node of the cluster (`troupe token show`), or generate one for a new cluster (`troupe token new`)".into(),
            ));
        }
        (None, None) => {
            let token = Token::generate(&platform.rng);
            info!(token = %token.fingerprint(), "generated a join token for this cluster of one");
            let token_store = token_store(Tokens::only(token));
            token_store.save().await?;
            token_store
        }
    };
    let security = Security::Token(token_store.tokens().await.current);
    Ok(Secrets { security, token_store: Some(Arc::new(token_store)) })
}

/// Chooses between the configured token and those in the data directory.
fn choose(given: Option<Token>, kept: Option<Tokens>) -> Option<Tokens> {
    let Some(given) = given else { return kept };
    let Some(kept) = kept else { return Some(Tokens::only(given)) };
    let fingerprint = given.fingerprint();
    if kept.current == given || kept.next.as_ref() == Some(&given) {
        return Some(kept);
    }
    if kept.replaced.contains(&fingerprint) {
        let now = kept.current.fingerprint();
        warn!(given = %fingerprint, %now, "the configured join token was replaced later (`troupe token rotate`): this node uses the later one; configure that");
        return Some(kept);
    }
    // A different token on purpose: the operator changes it by hand, with all nodes stopped.
    Some(Tokens::only(given))
}

fn row(engine: &Arc<dyn Engine>) -> Result<Option<Token>, StartError> {
    let Some(row) = engine.get(Family::Node, node::TOKEN)? else { return Ok(None) };
    let token = std::str::from_utf8(&row).ok().and_then(|text| Token::parse(text).ok());
    Ok(Some(token.ok_or_else(|| EngineError::Fatal("the row of the join token is damaged".into()))?))
}

async fn forget_row(platform: &Platform, engine: &Arc<dyn Engine>) -> Result<(), StartError> {
    let mut batch = Batch::default();
    batch.delete(Family::Node, node::TOKEN);
    let engine = Arc::clone(engine);
    let written = run(platform.executor.as_ref(), Lane::Flush, move || engine.write(batch, Durability::Synced)).await;
    warn!(
        "the join token has moved from the database into the file `token`; copies of the database may still contain it: `troupe token rotate` revokes it"
    );
    written.unwrap_or_else(|| Err(EngineError::Refused("this node is stopping".into()))).map_err(StartError::from)
}

#[cfg(test)]
mod tests {
    use troupe_runtime::Rng;

    use super::*;

    #[test]
    fn a_token_that_was_replaced_gives_way_to_the_later_one() {
        let token = |seed| Token::generate(&Rng::from_seed(seed));
        let (old, new, other) = (token(1), token(2), token(3));
        let mut kept = Tokens::only(new.clone());
        kept.replaced.push_back(old.fingerprint());
        assert_eq!(choose(None, Some(kept.clone())), Some(kept.clone()));
        assert_eq!(choose(Some(old.clone()), Some(kept.clone())), Some(kept.clone()));
        assert_eq!(choose(Some(new.clone()), Some(kept.clone())), Some(kept.clone()));
        assert_eq!(choose(Some(other.clone()), Some(kept.clone())), Some(Tokens::only(other)));
        assert_eq!(choose(Some(old.clone()), None), Some(Tokens::only(old.clone())));
        // During a change it shows the same token as before.
        let between = Tokens { next: Some(new.clone()), ..Tokens::only(old.clone()) };
        for given in [old, new] {
            assert_eq!(choose(Some(given), Some(between.clone())), Some(between.clone()));
        }
    }
}
