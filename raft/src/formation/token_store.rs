//! The tokens of this node, and the file in its data directory that keeps them.
//!
//! Normally there is one token. During a rotation ([`super::rotation`]) there are two, one of which
//! is shown and both of which are accepted. The file `tokens` is written when this node has
//! generated its token itself, and by a rotation. The file `token` is the present one alone, for
//! the operator. Only their owner can read them. No token is ever in the database, which is copied
//! to other places.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;
use troupe_runtime::executor::{Executor, Lane, run};

use crate::api::StartError;
use crate::transport::port::Port;
use crate::transport::token::{Fingerprint, Token};

/// In the data directory: all tokens of this node.
pub const TOKENS: &str = "tokens";
/// In the data directory, for `troupe token show`.
pub const TOKEN: &str = "token";
/// Remembered dropped tokens, so that a start with one of them is no mistake. Beyond them the
/// oldest is forgotten.
const REPLACED: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub current: Token,
    /// Shown when all nodes hold it; accepted already.
    pub next: Option<Token>,
    /// Shown before; accepted until all show the current one.
    pub previous: Option<Token>,
    /// Dropped in favour of later ones.
    pub replaced: VecDeque<Fingerprint>,
}

impl Tokens {
    pub fn only(current: Token) -> Tokens {
        Tokens { current, next: None, previous: None, replaced: VecDeque::new() }
    }

    /// The token that is accepted besides the current one.
    fn also(&self) -> Option<Token> {
        self.next.clone().or_else(|| self.previous.clone())
    }

    fn encode(&self) -> String {
        let mut lines = format!("current {}\n", self.current.reveal());
        for (name, token) in [("next", &self.next), ("previous", &self.previous)] {
            if let Some(token) = token {
                lines.push_str(&format!("{name} {}\n", token.reveal()));
            }
        }
        self.replaced.iter().for_each(|fingerprint| lines.push_str(&format!("replaced {fingerprint}\n")));
        lines
    }

    /// `None`: not such a file, or one of a later version.
    fn decode(text: &str) -> Option<Tokens> {
        let (mut current, mut next, mut previous, mut replaced) = (None, None, None, VecDeque::new());
        for line in text.lines() {
            match line.split_once(' ')? {
                ("current", token) => current = Some(Token::parse(token).ok()?),
                ("next", token) => next = Some(Token::parse(token).ok()?),
                ("previous", token) => previous = Some(Token::parse(token).ok()?),
                ("replaced", fingerprint) => replaced.push_back(Fingerprint::parse(fingerprint)?),
                _ => return None,
            }
        }
        Some(Tokens { current: current?, next, previous, replaced })
    }
}

/// Reads the tokens in a data directory. Blocking; for a start.
pub fn kept(directory: &Path) -> Result<Option<Tokens>, StartError> {
    let path = directory.join(TOKENS);
    match std::fs::read_to_string(&path) {
        Ok(text) => Tokens::decode(&text).map(Some).ok_or_else(|| {
            StartError::Refused(format!(
                "{} is damaged: remove it and give this node the cluster's token (cluster.token_file), or restore it",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::Refused(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// The tokens of a running node.
pub struct TokenStore {
    executor: Arc<dyn Executor>,
    /// `None`: in memory only.
    directory: Option<PathBuf>,
    tokens: Mutex<Tokens>,
}

impl TokenStore {
    pub fn new(executor: Arc<dyn Executor>, directory: Option<PathBuf>, tokens: Tokens) -> TokenStore {
        TokenStore { executor, directory, tokens: Mutex::new(tokens) }
    }

    pub async fn tokens(&self) -> Tokens {
        self.tokens.lock().await.clone()
    }

    /// Writes the tokens to disk.
    pub async fn save(&self) -> Result<(), StartError> {
        let tokens = self.tokens.lock().await;
        self.write(&tokens).await
    }

    /// From now on the port accepts the tokens.
    pub async fn open(&self, port: &Port) -> Result<(), StartError> {
        let tokens = self.tokens.lock().await;
        port.set_tokens(tokens.current.clone(), tokens.also())
    }

    /// Accepts a new token besides the current one.
    pub async fn keep(&self, port: &Port, token: Token) -> Result<(), StartError> {
        let mut tokens = self.tokens.lock().await;
        if tokens.current == token {
            return Ok(());
        }
        let next = Some(token);
        self.change(port, &mut tokens, |tokens| Tokens { next, ..tokens }).await
    }

    /// Shows the new token, and still accepts the other one. False: it does not hold that token.
    pub async fn show(&self, port: &Port, fingerprint: Fingerprint) -> Result<bool, StartError> {
        let mut tokens = self.tokens.lock().await;
        if tokens.current.fingerprint() == fingerprint {
            return Ok(true);
        }
        let Some(next) = tokens.next.clone().filter(|next| next.fingerprint() == fingerprint) else { return Ok(false) };
        self.change(port, &mut tokens, |Tokens { current, mut replaced, .. }| {
            replaced.push_back(current.fingerprint());
            if replaced.len() > REPLACED {
                replaced.pop_front();
            }
            Tokens { current: next, next: None, previous: Some(current), replaced }
        })
        .await?;
        Ok(true)
    }

    /// Accepts only this token, which it shows already. False: it shows another one.
    pub async fn forget_others(&self, port: &Port, fingerprint: Fingerprint) -> Result<bool, StartError> {
        let mut tokens = self.tokens.lock().await;
        if tokens.current.fingerprint() != fingerprint {
            return Ok(false);
        }
        self.change(port, &mut tokens, |tokens| Tokens { next: None, previous: None, ..tokens }).await?;
        Ok(true)
    }

    /// Written to disk before it takes effect.
    async fn change(
        &self,
        port: &Port,
        tokens: &mut Tokens,
        change: impl FnOnce(Tokens) -> Tokens,
    ) -> Result<(), StartError> {
        let now = change(tokens.clone());
        if now == *tokens {
            return Ok(());
        }
        self.write(&now).await?;
        *tokens = now;
        port.set_tokens(tokens.current.clone(), tokens.also())
    }

    async fn write(&self, tokens: &Tokens) -> Result<(), StartError> {
        let Some(directory) = self.directory.clone() else { return Ok(()) };
        let (all, current) = (tokens.encode(), format!("{}\n", tokens.current.reveal()));
        let written = run(self.executor.as_ref(), Lane::Flush, move || {
            replace(&directory, TOKENS, &all)?;
            replace(&directory, TOKEN, &current)
        });
        match written.await {
            Some(written) => written.map_err(StartError::from),
            None => Err(StartError::Refused("this node is stopping".into())),
        }
    }
}

/// Writes the whole file atomically, readable by this user alone from its first moment.
fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use troupe_runtime::Rng;

    use super::*;

    fn token(seed: u64) -> Token {
        Token::generate(&Rng::from_seed(seed))
    }

    #[test]
    fn the_file_comes_back_as_written_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(folder.path()).unwrap(), None);
        let mut tokens = Tokens::only(token(1));
        for change in [None, Some(token(2))] {
            tokens.next = change.clone();
            tokens.previous = change;
            tokens.replaced.push_back(token(3).fingerprint());
            replace(folder.path(), TOKENS, &tokens.encode()).unwrap();
            assert_eq!(kept(folder.path()).unwrap(), Some(tokens.clone()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(TOKENS)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.path().join(TOKENS), "current troupe1.damaged\n").unwrap();
        assert!(kept(folder.path()).unwrap_err().to_string().contains("is damaged"));
        for bad in ["", "next x\n", "later troupe2\n", "current\n"] {
            assert_eq!(Tokens::decode(bad), None, "{bad}");
        }
    }
}
