//! The first bytes of a cluster connection: they name the protocol, and check that both ends expect
//! each other.
//!
//! The dialer sends 46 bytes: the magic `TRP1` (whose last character is the version), the protocol,
//! the cluster's id (zeros before it has one), both node ids, and the fingerprint of the dialer's
//! token. The other side answers with 29 bytes: the magic, a verdict, its cluster and its node id.
//! So a dialer gets a named error instead of a closed socket. All sizes are fixed; nothing is
//! allocated.
//!
//! The preamble does not authenticate. TLS has done so before, and without TLS nothing here is a
//! secret or a proof. The fingerprint only reveals a wrong token where no TLS would.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_core::NodeId;
use troupe_runtime::Stream;

use crate::transport::token::Fingerprint;

const MAGIC: [u8; 4] = *b"TRP1";
const PREAMBLE_BYTES: usize = 4 + 1 + 16 + 8 + 8 + 8 + 1;
const ANSWER_BYTES: usize = 4 + 1 + 16 + 8;
/// The first byte of a TLS alert, which a node with TLS sends to a dialer without.
const TLS_ALERT: u8 = 0x15;

/// The protocols of the cluster port. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Raft,
    Snapshot,
    Mesh,
    Formation,
    /// Backups and restores, for holders of the token.
    Backup,
}

impl Protocol {
    fn number(self) -> u8 {
        match self {
            Protocol::Raft => 1,
            Protocol::Snapshot => 2,
            Protocol::Mesh => 3,
            Protocol::Formation => 4,
            Protocol::Backup => 5,
        }
    }

    fn of(number: u8) -> Option<Protocol> {
        [Protocol::Raft, Protocol::Snapshot, Protocol::Mesh, Protocol::Formation, Protocol::Backup]
            .into_iter()
            .find(|protocol| protocol.number() == number)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    pub protocol: Protocol,
    pub cluster: [u8; 16],
    pub from: NodeId,
    pub to: NodeId,
    /// Of the dialer's token; `None` with neither TLS nor token.
    pub fingerprint: Option<Fingerprint>,
}

/// Numbered on the wire in this order: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Welcome,
    /// This node belongs to another cluster.
    WrongCluster,
    /// This is another node than the dialer expects.
    WrongNode,
    /// The dialer's certificate does not belong to the node that its preamble names.
    WrongName,
    /// This node speaks another version, or does not know the protocol.
    Unsupported,
    BadToken,
    /// This node is not yet, or no longer, in a cluster that serves this protocol. Retry.
    NotReady,
    /// Too many streams wait already. Retry.
    Busy,
    /// The dialer was removed from this cluster.
    Removed,
}

impl Verdict {
    const ALL: [Verdict; 9] = [
        Verdict::Welcome,
        Verdict::WrongCluster,
        Verdict::WrongNode,
        Verdict::WrongName,
        Verdict::Unsupported,
        Verdict::BadToken,
        Verdict::NotReady,
        Verdict::Busy,
        Verdict::Removed,
    ];

    fn number(self) -> u8 {
        self as u8
    }

    fn of(number: u8) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.number() == number)
    }
}

/// A verdict, and the node that gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub verdict: Verdict,
    pub cluster: [u8; 16],
    pub node: NodeId,
}

/// The reason why the other side's bytes are not a preamble.
#[derive(Debug)]
pub enum Garbled {
    Io(io::Error),
    /// A TLS alert: the other side wants TLS.
    Tls,
    /// Not a preamble, or one of another version.
    Foreign,
}

impl From<io::Error> for Garbled {
    fn from(error: io::Error) -> Garbled {
        Garbled::Io(error)
    }
}

impl Preamble {
    fn encode(&self) -> [u8; PREAMBLE_BYTES] {
        let mut bytes = [0u8; PREAMBLE_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.protocol.number();
        bytes[5..21].copy_from_slice(&self.cluster);
        bytes[21..29].copy_from_slice(&self.from.0.to_be_bytes());
        bytes[29..37].copy_from_slice(&self.to.0.to_be_bytes());
        if let Some(fingerprint) = self.fingerprint {
            bytes[37..45].copy_from_slice(&fingerprint.0);
            bytes[45] = 1;
        }
        bytes
    }

    fn decode(bytes: &[u8; PREAMBLE_BYTES]) -> Option<Preamble> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (protocol, rest) = rest.split_first()?;
        let (cluster, rest) = rest.split_first_chunk::<16>()?;
        let (from, rest) = rest.split_first_chunk::<8>()?;
        let (to, rest) = rest.split_first_chunk::<8>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<8>()?;
        let fingerprint = match rest {
            [0] => None,
            [1] => Some(Fingerprint(*fingerprint)),
            _ => return None,
        };
        if *magic != MAGIC {
            return None;
        }
        Some(Preamble {
            protocol: Protocol::of(*protocol)?,
            cluster: *cluster,
            from: NodeId(u64::from_be_bytes(*from)),
            to: NodeId(u64::from_be_bytes(*to)),
            fingerprint,
        })
    }

    /// The caller bounds the time.
    pub async fn send(&self, stream: &mut dyn Stream) -> io::Result<()> {
        stream.write_all(&self.encode()).await?;
        stream.flush().await
    }

    /// The caller bounds the time.
    pub async fn receive(stream: &mut dyn Stream) -> Result<Preamble, Garbled> {
        let mut bytes = [0u8; PREAMBLE_BYTES];
        stream.read_exact(&mut bytes).await?;
        Preamble::decode(&bytes).ok_or(Garbled::Foreign)
    }
}

impl Answer {
    pub async fn send(&self, stream: &mut dyn Stream) -> io::Result<()> {
        let mut bytes = [0u8; ANSWER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.verdict.number();
        bytes[5..21].copy_from_slice(&self.cluster);
        bytes[21..].copy_from_slice(&self.node.0.to_be_bytes());
        stream.write_all(&bytes).await?;
        stream.flush().await
    }

    pub async fn receive(stream: &mut dyn Stream) -> Result<Answer, Garbled> {
        // Reads the magic first: a foreign peer may send less than an answer and wait.
        let mut magic = [0u8; 4];
        stream.read_exact(&mut magic).await?;
        if magic != MAGIC {
            return Err(if magic[0] == TLS_ALERT { Garbled::Tls } else { Garbled::Foreign });
        }
        let mut rest = [0u8; ANSWER_BYTES - 4];
        stream.read_exact(&mut rest).await?;
        Answer::decode(&rest).ok_or(Garbled::Foreign)
    }

    fn decode(bytes: &[u8; ANSWER_BYTES - 4]) -> Option<Answer> {
        let (verdict, rest) = bytes.split_first()?;
        let (cluster, rest) = rest.split_first_chunk::<16>()?;
        let node = rest.first_chunk::<8>()?;
        Some(Answer { verdict: Verdict::of(*verdict)?, cluster: *cluster, node: NodeId(u64::from_be_bytes(*node)) })
    }
}

#[cfg(test)]
mod tests;
