//! Asks a cluster over HTTP: one of the nodes that were named, or another one that those know of.

use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::Value;
use troupe_fetch as fetch;

use crate::exit::coded;

/// An order is one commit; the node itself waits three seconds for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a node to be looked at, if there is another one to ask.
const GLANCE: Duration = Duration::from_secs(2);

pub struct Asker {
    /// In the order in which they are asked.
    addresses: Vec<String>,
}

impl Asker {
    /// `http` names addresses, comma-separated.
    pub fn new(http: &str) -> Asker {
        let named = http.split(',').map(str::trim).filter(|address| !address.is_empty());
        Asker { addresses: named.map(str::to_owned).collect() }
    }

    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// All nodes and what moves.
    pub async fn look(&mut self) -> Result<Value> {
        self.get("/v1/operate").await.map(|(_, seen)| seen)
    }

    /// An answer that lists nodes, and the address that gave it.
    pub async fn get(&mut self, path: &str) -> Result<(String, Value)> {
        let mut failed = None;
        let patience = if self.addresses.len() > 1 { GLANCE } else { PATIENCE };
        for address in self.addresses.clone() {
            let error = match fetch::get_json(&address, path, patience).await {
                Ok((200, seen)) if seen["nodes"].is_array() => {
                    self.learn(&address, &seen);
                    return Ok((address, seen));
                }
                Ok((503, starting)) if starting["error"].is_string() => {
                    let why = starting["error"].as_str().unwrap_or_default();
                    coded("node_starts", format!("{address} is not in its cluster yet: {why}"))
                }
                Ok((status, _)) => {
                    coded("not_troupe", format!("{address} answers with status {status}: is this a troupe node?"))
                }
                Err(error) => error,
            };
            failed.get_or_insert(error);
        }
        Err(self.no_answer(failed))
    }

    /// The node that answered comes first, then the others.
    fn learn(&mut self, answered: &str, seen: &Value) {
        let told = seen["nodes"].as_array().into_iter().flatten().filter_map(|node| node["http"].as_str());
        let told: Vec<String> = told.filter(|http| !http.is_empty()).map(str::to_owned).collect();
        self.addresses.retain(|known| known != answered);
        self.addresses.insert(0, answered.to_owned());
        for http in told {
            if !self.addresses.contains(&http) {
                self.addresses.push(http);
            }
        }
    }

    /// An order may be repeated: giving it twice is giving it once.
    pub async fn order(&self, path: &str, key: Option<&str>) -> Result<(u16, Value)> {
        let mut failed = None;
        for address in &self.addresses {
            match fetch::post_json(address, path, key, PATIENCE).await {
                Ok((503, answer)) => {
                    failed = Some(coded("no_answer", answer["error"].as_str().unwrap_or("no answer")));
                }
                Ok(answered) => return Ok(answered),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        Err(self.no_answer(failed))
    }

    /// The first failure is of the address that was named first.
    fn no_answer(&self, failed: Option<anyhow::Error>) -> anyhow::Error {
        match failed {
            Some(error) if self.addresses.len() > 1 => {
                error.context(format!("none of {} answers", self.addresses.join(", ")))
            }
            Some(error) => error,
            None => anyhow!("no node is named: --http host:port"),
        }
    }
}

#[cfg(test)]
pub mod stand_in {
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Listens, and answers each path as told.
    pub async fn node(answer: impl Fn(&str) -> Value + Send + 'static) -> String {
        let platform = troupe_runtime::Platform::production();
        let listener = platform.net.bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("asked");
                let mut request = [0u8; 1024];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let body = answer(request.split(' ').nth(1).unwrap_or_default()).to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                let _ = stream.flush().await;
            }
        });
        address
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_others_are_asked_when_one_is_gone() {
        let seen = json!({ "nodes": [{ "id": 1, "http": "a:1" }, { "id": 2, "http": "" }] });
        let mut asker = Asker::new("b:1");
        asker.learn("b:1", &seen);
        assert_eq!(asker.addresses, ["b:1", "a:1"]);
        asker.learn("a:1", &seen);
        assert_eq!(asker.addresses, ["a:1", "b:1"]);
        assert_eq!(Asker::new("a:1, b:1,,").addresses, ["a:1", "b:1"]);
    }

    #[tokio::test]
    async fn a_command_goes_on_when_the_first_address_is_down() {
        let up = stand_in::node(|_| json!({ "nodes": [{ "id": 1, "http": "" }] })).await;
        let mut asker = Asker::new(&format!("127.0.0.1:1,{up}"));
        assert_eq!(asker.look().await.expect("the second one answers")["nodes"][0]["id"], 1);
        assert_eq!(asker.addresses, [up.as_str(), "127.0.0.1:1"]);
        let error = format!("{:#}", Asker::new("127.0.0.1:1,127.0.0.1:2").look().await.unwrap_err());
        assert!(error.contains("none of 127.0.0.1:1, 127.0.0.1:2 answers"), "{error}");
    }
}
