//! A replica's input from another one: frames and their messages.
#![no_main]

use bytes::Bytes;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use troupe_raft::codec;
use troupe_raft::transport::frame::FrameReader;

fuzz_target!(|data: &[u8]| {
    let mut reader = FrameReader::new(data);
    // A slice never waits, so this ends with the slice.
    while let Ok(Some(frame)) = block_on(reader.next()) {
        payload(frame.payload);
    }
    payload(Bytes::copy_from_slice(data));
});

fn payload(bytes: Bytes) {
    if let Ok(append) = codec::append_request_in(bytes.clone()) {
        let entries = append.entries.iter().map(codec::entry_bytes).sum::<usize>();
        assert!(entries <= 64 * (bytes.len() + 1), "a small append stays small in memory");
        drop(codec::append_request_out(&append));
    }
    drop(codec::append_response_in(bytes.clone()));
    drop(codec::vote_request_in(bytes.clone()));
    drop(codec::vote_response_in(bytes.clone()));
    drop(codec::transfer_request_in(bytes.clone()));
    drop(codec::transfer_response_in(bytes));
}
