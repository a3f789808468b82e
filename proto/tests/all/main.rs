//! One test program for the whole crate. [`values`] draws any value of any type; the other modules
//! test properties of them.

mod client;
mod event;
mod frame;
mod golden;
mod protocol_page;
mod record;
mod total;
mod values;
