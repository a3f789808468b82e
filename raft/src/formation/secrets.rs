//! Where this node's token comes from, and when it may do without one.

use std::sync::Arc;

use tracing::{info, warn};
use troupe_runtime::NodeCtx;
use troupe_runtime::executor::{Lane, run};
use troupe_runtime::net::is_loopback;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::keeper::{Keeper, Tokens, kept};
use crate::cluster::{ClusterConfig, StartError};
use crate::port::Security;
use crate::token::Token;

/// How this node trusts others from its start on; and what it holds, unless it runs without TLS.
pub struct Secrets {
    pub security: Security,
    pub keeper: Option<Arc<Keeper>>,
}

/// The configured token, or the one that replaced it since, or the one that this node once made for
/// its cluster of one, or, for such a newborn, a fresh one.
pub async fn secrets(ctx: &NodeCtx, engine: &Arc<dyn Engine>, config: &ClusterConfig) -> Result<Secrets, StartError> {
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
        return Ok(Secrets { security: Security::Insecure(given), keeper: None });
    }
    let directory = config.data_dir.as_deref();
    let keeper = |tokens| Keeper::new(Arc::clone(&ctx.executor), config.data_dir.clone(), tokens);
    let held = directory.map(kept).transpose()?.flatten();
    let keeper = match (choose(given, held), row(engine)?) {
        (Some(tokens), row) => {
            let keeper = keeper(tokens);
            if row.is_some() {
                forget_row(ctx, engine).await?;
            }
            keeper
        }
        (None, Some(token)) => {
            // Earlier versions kept it in the database.
            let keeper = keeper(Tokens::only(token));
            if directory.is_some() {
                keeper.save().await?;
                forget_row(ctx, engine).await?;
            }
            keeper
        }
        (None, None) if config.join.iter().any(|address| *address != config.advertise) => {
            return Err(StartError::Refused(
                "a node that joins others needs the cluster's join token: copy it from a node of the cluster (`troupe token show`), or make one for a new cluster (`troupe token new`)".into(),
            ));
        }
        (None, None) => {
            let token = Token::generate(&ctx.rng);
            info!(token = %token.fingerprint(), "made a join token for this cluster of one");
            let keeper = keeper(Tokens::only(token));
            keeper.save().await?;
            keeper
        }
    };
    let security = Security::Token(keeper.tokens().await.current);
    Ok(Secrets { security, keeper: Some(Arc::new(keeper)) })
}

/// Of what was configured, and what the data directory keeps.
fn choose(given: Option<Token>, kept: Option<Tokens>) -> Option<Tokens> {
    let Some(given) = given else { return kept };
    let Some(kept) = kept else { return Some(Tokens::only(given)) };
    let fingerprint = given.fingerprint();
    if kept.current == given || kept.next.as_ref() == Some(&given) {
        return Some(kept);
    }
    if kept.replaced.contains(&fingerprint) {
        let now = kept.current.fingerprint();
        warn!(given = %fingerprint, %now, "the configured join token was replaced since (`troupe token rotate`): this node uses the later one; configure that");
        return Some(kept);
    }
    // Another one, on purpose: the operator changes it by hand, with all nodes stopped.
    Some(Tokens::only(given))
}

fn row(engine: &Arc<dyn Engine>) -> Result<Option<Token>, StartError> {
    let Some(row) = engine.get(Family::Node, node::TOKEN)? else { return Ok(None) };
    let token = std::str::from_utf8(&row).ok().and_then(|text| Token::parse(text).ok());
    Ok(Some(token.ok_or_else(|| EngineError::Fatal("the row of the join token is damaged".into()))?))
}

async fn forget_row(ctx: &NodeCtx, engine: &Arc<dyn Engine>) -> Result<(), StartError> {
    let mut batch = Batch::default();
    batch.delete(Family::Node, node::TOKEN);
    let engine = Arc::clone(engine);
    let written = run(ctx.executor.as_ref(), Lane::Flush, move || engine.write(batch, Durability::Synced)).await;
    warn!(
        "the join token has moved from the database into the file `token`; copies of the database may still hold it: `troupe token rotate` makes it worthless"
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
        // In the middle of a change it shows what it showed.
        let between = Tokens { next: Some(new.clone()), ..Tokens::only(old.clone()) };
        for given in [old, new] {
            assert_eq!(choose(Some(given), Some(between.clone())), Some(between.clone()));
        }
    }
}
