//! Connects to the server's nodes by name.

use std::io;
use std::sync::Arc;

use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Listener, Net, Stream};

use super::{Mode, Server};

pub struct Wires(pub Arc<Server>);

impl Net for Wires {
    fn bind<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            match self.0.modes.get(address).map(|mode| *mode.borrow()) {
                None | Some(Mode::Down) => Err(io::ErrorKind::ConnectionRefused.into()),
                Some(Mode::Up | Mode::Frozen | Mode::Foreign) => {
                    let (here, there) = tokio::io::duplex(16 * 1024);
                    tokio::spawn(self.0.clone().serve(address.to_owned(), Box::new(there)));
                    Ok(Box::new(here) as Box<dyn Stream>)
                }
            }
        })
    }

    fn is_private(&self, _address: &str) -> bool {
        true
    }
}
