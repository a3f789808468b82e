//! Requests to the HTTP API of a node.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use troupe_chaos::http::{Http, Said};
use troupe_chaos::local::LocalCluster;
use troupe_runtime::Platform;

use super::PATIENCE;

pub const PASSWORD: &str = "a script's password";
pub const AGAIN: Duration = Duration::from_millis(100);

/// A script with an account, at one node.
pub struct Script {
    node: String,
    token: String,
    pub user: String,
}

impl Script {
    pub async fn register(cluster: &LocalCluster, name: &str, node: usize) -> Result<Script> {
        let node = cluster.addresses(node % cluster.len()).http.clone();
        let account = json!({ "name": name, "password": PASSWORD });
        ask(&node, None, None, "POST", "/v1/register", Some(&account)).await?;
        let login = json!({ "name": name, "password": PASSWORD, "device": "script" });
        let entered = ask(&node, None, None, "POST", "/v1/login", Some(&login)).await?;
        let text = |field: &str| entered[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
        Ok(Script { token: text("token")?, user: text("user_id")?, node })
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        ask(&self.node, Some(&self.token), None, "GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        ask(&self.node, Some(&self.token), None, "POST", path, Some(&body)).await
    }

    pub async fn put(&self, path: &str, body: Option<Value>) -> Result<Value> {
        ask(&self.node, Some(&self.token), None, "PUT", path, body.as_ref()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        ask(&self.node, Some(&self.token), None, "PATCH", path, Some(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        ask(&self.node, Some(&self.token), None, "DELETE", path, None).await
    }

    /// The status and the code of a refusal.
    pub async fn refused(&self, method: &str, path: &str, body: Option<Value>) -> Result<(u16, String)> {
        let said = said(&self.node, Some(&self.token), None, method, path, body.as_ref()).await?;
        let code = said.json()?["code"].as_str().unwrap_or_default().to_owned();
        Ok((said.status, code))
    }

    /// Writes a whole upload, by tus.
    pub async fn write(&self, upload: &str, bytes: &[u8]) -> Result<()> {
        let mut http = Http::connect(&*Platform::production().net, &self.node).await?;
        let (bearer, length) = (format!("Bearer {}", self.token), bytes.len().to_string());
        let headers = [
            ("authorization", bearer.as_str()),
            ("tus-resumable", "1.0.0"),
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", "0"),
            ("content-length", &length),
        ];
        let head = http.request("PATCH", &format!("/v1/uploads/{upload}"), &headers, None);
        http.write(&[&head, bytes].concat()).await?;
        let said = timeout(PATIENCE, http.said()).await.context("no answer to an upload")??;
        ensure!(said.status == 204, "status {}: {}", said.status, String::from_utf8_lossy(&said.body));
        Ok(())
    }

    /// The bytes of a file.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>> {
        let said = said(&self.node, Some(&self.token), None, "GET", path, None).await?;
        ensure!(said.status == 200, "status {}: {}", said.status, String::from_utf8_lossy(&said.body));
        Ok(said.body.to_vec())
    }

    /// Asks again until the answer is as it should be.
    pub async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await?;
            if is_so(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "GET {path} still answers {answer}");
            sleep(AGAIN).await;
        }
    }
}

/// The JSON of a success; null where there is none.
pub async fn ask(
    node: &str,
    token: Option<&str>,
    key: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let said = said(node, token, key, method, path, body).await?;
    let text = || String::from_utf8_lossy(&said.body).into_owned();
    ensure!((200..300).contains(&said.status), "{method} {path} at {node}: status {}: {}", said.status, text());
    if said.body.is_empty() { Ok(Value::Null) } else { said.json() }
}

/// A node that refuses for now is asked again.
async fn said(
    node: &str,
    token: Option<&str>,
    key: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Said> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    headers.extend(key.map(|key| ("idempotency-key", key)));
    let until = Instant::now() + PATIENCE;
    loop {
        let asking = async {
            let mut http = Http::connect(&*Platform::production().net, node).await?;
            http.ask(method, path, &headers, body).await
        };
        let said = timeout(PATIENCE, asking).await.with_context(|| format!("{method} {path}: no answer"))??;
        if (said.status < 500 && said.status != 429) || Instant::now() > until {
            return Ok(said);
        }
        sleep(said.retry_after.unwrap_or(AGAIN).min(Duration::from_secs(1))).await;
    }
}
