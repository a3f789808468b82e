//! Sends one request to the node at an address, and returns its answer.

use std::time::Duration;

use tokio::time::timeout;

use super::message::{self, Answer, Question};
use crate::transport::port::Port;
use crate::transport::port::dial::{DialError, Why};

pub async fn ask(port: &Port, address: &str, question: &Question, within: Duration) -> Result<Answer, DialError> {
    let failed = |why| DialError { address: address.to_owned(), why };
    let exchange = async {
        let mut stream = port.dial_formation(address).await?;
        let talk = async {
            message::send(&mut stream, &question.to_wire()).await?;
            message::receive(&mut stream).await
        };
        let answer = talk.await.map_err(|error| failed(Why::Closed(error)))?;
        Answer::from_wire(answer).ok_or_else(|| failed(Why::Unsupported))
    };
    timeout(within, exchange).await.unwrap_or_else(|_| Err(failed(Why::Timeout)))
}
