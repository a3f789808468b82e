//! A client of event streams and of polls.

use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Method;
use futures::StreamExt;
use serde_json::Value;

use crate::harness::within;
use crate::http::{Http, Said};

/// Between two sends of what a stream may miss.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub struct Told {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Told {
    pub fn text(&self, field: &str) -> &str {
        self.data[field].as_str().unwrap_or_default()
    }

    /// Conversation and seq of an event of a log.
    pub fn place(&self) -> Option<(String, u64)> {
        (self.name == "message")
            .then(|| (self.text("conversation").to_owned(), self.data["seq"].as_u64().expect("a seq")))
    }
}

pub struct Stream {
    body: BodyDataStream,
    buffer: String,
    /// Of the last event that had one, as a browser keeps it.
    pub id: String,
    /// Comments, which only keep it open.
    pub comments: usize,
}

impl Stream {
    pub fn new(body: Body) -> Stream {
        Stream { body: body.into_data_stream(), buffer: String::new(), id: String::new(), comments: 0 }
    }

    /// `None`: it has ended.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                if let Some(told) = self.read(&block) {
                    return Some(told);
                }
            }
            let piece = within(self.body.next()).await?.expect("no error");
            self.buffer.push_str(std::str::from_utf8(&piece).expect("ASCII in these tests"));
        }
    }

    fn read(&mut self, block: &str) -> Option<Told> {
        let (mut name, mut id, mut data) = ("message".to_owned(), None, None);
        for line in block.lines() {
            match line.split_once(':').expect("a field") {
                ("", _) => self.comments += 1,
                ("event", value) => name = value.trim_start().to_owned(),
                ("id", value) => id = Some(value.trim_start().to_owned()),
                ("data", value) => data = Some(serde_json::from_str(value).expect("JSON")),
                ("retry", value) => assert!(value.trim().parse::<u64>().is_ok_and(|after| after < 5_000)),
                (other, _) => panic!("{other} is no field of an event"),
            }
        }
        if let Some(id) = &id {
            self.id.clone_from(id);
        }
        data.map(|data| Told { name, id, data })
    }

    /// The signal that `send` sends.
    pub async fn signal(&mut self, send: impl AsyncFn()) -> Told {
        self.again("signal", send).await
    }

    /// The push that `send` causes, again and again: one that comes before the stream follows its
    /// conversation is lost, and no log has it.
    pub async fn again(&mut self, name: &str, send: impl AsyncFn()) -> Told {
        let mut told = pin!(self.until(name));
        loop {
            send().await;
            tokio::select! {
                told = &mut told => return told,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// The next event of this kind: a stream may begin with events that were just placed.
    pub async fn kind(&mut self, kind: &str) -> Told {
        loop {
            let told = self.until("message").await;
            if told.text("kind") == kind {
                return told;
            }
        }
    }

    pub async fn until(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("it ended before {name}"));
            if told.name == name {
                return told;
            }
        }
    }

    /// The next event of a log.
    pub async fn place(&mut self) -> (String, u64) {
        self.until("message").await.place().expect("a place")
    }

    /// The code of the last event, behind which nothing comes.
    pub async fn end(&mut self) -> String {
        let told = self.until("end").await;
        assert!(self.next().await.is_none(), "it goes on behind its end");
        told.text("code").to_owned()
    }
}

impl Http {
    /// Opens a stream behind `id`, and reads up to its beginning.
    pub async fn stream(&self, id: &str) -> Stream {
        let mut stream = self.stream_without_reading(id).await;
        assert!(stream.until("ready").await.id.is_some());
        stream
    }

    pub async fn stream_without_reading(&self, id: &str) -> Stream {
        let response = self.open(Method::GET, "/v1/events", &[("last-event-id", id)], Body::empty()).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream::new(response.into_body())
    }

    pub async fn poll(&self, query: &str) -> (Vec<Told>, String) {
        let said = self.get(&format!("/v1/events?{query}")).await;
        polled(said)
    }
}

pub fn polled(said: Said) -> (Vec<Told>, String) {
    assert_eq!(said.header("content-type"), "application/json");
    let answer = said.good();
    let told = answer["events"].as_array().expect("a list").iter().map(|told| Told {
        name: told["event"].as_str().expect("a name").to_owned(),
        id: None,
        data: told["data"].clone(),
    });
    (told.collect(), answer["cursor"].as_str().expect("a cursor").to_owned())
}

/// The places among these.
pub fn places(told: &[Told]) -> Vec<(String, u64)> {
    told.iter().filter_map(Told::place).collect()
}
