//! docs/api.md: its commands run in their order, as they stand, and answer what the page shows.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::server::{PATIENCE, Server};

const PAGE: &str = include_str!("../../../docs/api.md");
/// Separates the outputs of the blocks.
const NEXT: &str = "----";

/// Each block of commands, with the answer that the page shows for it.
fn blocks() -> Vec<(&'static str, Option<Value>)> {
    let mut blocks: Vec<(&str, Option<Value>)> = Vec::new();
    for part in PAGE.split("\n```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').expect("a block");
        match language {
            "sh" => blocks.push((text, None)),
            "json" => {
                let (_, answer) = blocks.last_mut().expect("the commands come first");
                *answer = Some(serde_json::from_str(text).expect("JSON"));
            }
            _ => {}
        }
    }
    blocks
}

/// Both have the same fields with values of the same kinds.
fn alike(shown: &Value, said: &Value) -> bool {
    match (shown, said) {
        (Value::Object(shown), Value::Object(said)) => {
            shown.len() == said.len()
                && shown.iter().all(|(field, shown)| said.get(field).is_some_and(|said| alike(shown, said)))
        }
        (Value::Array(shown), Value::Array(said)) => {
            shown.len() == said.len() && shown.iter().zip(said).all(|(shown, said)| alike(shown, said))
        }
        _ => std::mem::discriminant(shown) == std::mem::discriminant(said),
    }
}

#[tokio::test]
async fn the_commands_of_the_page_lead_to_a_first_message() {
    let server = Server::started(1).await;
    let blocks = blocks();
    assert!(blocks.len() >= 6 && PAGE.contains("\n    troupe start\n"), "{blocks:?}");
    let commands: Vec<&str> = blocks.iter().map(|(commands, _)| *commands).collect();
    let script = commands.join(&format!("\necho; echo {NEXT}\n"));
    let script = script.replace("127.0.0.1:7780", &server.addresses().http);
    let folder = tempfile::tempdir().expect("a folder");
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, shell.output()).await.expect("it ends").expect("it runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    let outputs: Vec<&str> = said.split(&format!("{NEXT}\n")).collect();
    assert_eq!(outputs.len(), blocks.len(), "{said}\n{failed}");
    for ((commands, shown), said) in blocks.iter().zip(outputs) {
        let Some(shown) = shown else { continue };
        let said: Value = serde_json::from_str(said).unwrap_or_else(|_| panic!("{commands}\n{said}\n{failed}"));
        assert!(alike(shown, &said), "{commands}\nthe page shows {shown}\nthe answer is {said}");
    }
    let text: Value = serde_json::from_str(said.split(NEXT).nth(3).unwrap_or_default()).expect("the history");
    assert_eq!(text["messages"][0]["body"]["text"], "hello");
}

/// The orders of operators share the port, and their paths begin as paths of the API do.
#[tokio::test]
async fn no_order_hides_a_request_of_the_document() {
    let server = Server::started(1).await;
    let ask = |method: &str, path: &str| {
        let url = format!("http://{}{path}", server.addresses().http);
        let mut curl = Command::new("curl");
        curl.args(["-s", "-X", method, "-w", "\n%{http_code}", &url]).stdin(Stdio::null()).kill_on_drop(true);
        async move {
            let output = timeout(PATIENCE, curl.output()).await.expect("it ends").expect("curl runs");
            let said = String::from_utf8(output.stdout).expect("text");
            let (body, code) = said.rsplit_once('\n').expect("a code");
            (body.to_owned(), code.to_owned())
        }
    };
    let (document, _) = ask("GET", "/v1/openapi.json").await;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut asked = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| path.contains('{')) {
        for method in ["get", "post"].into_iter().filter(|method| methods.get(method).is_some()) {
            let (body, code) = ask(&method.to_uppercase(), &path.replace(['{', '}'], "")).await;
            assert_ne!(code, "405", "{method} {path}: {body}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
}
