//! The system's randomness, replaced in this binary by a seeded generator.
//!
//! The node draws from `Platform::rng`. The libraries below it ask the system: openraft for
//! election timeouts, tokio for the first polled branch of a `select!`, the standard library for
//! hash map keys. All of them end at libc's `getrandom`, which the linker replaces by this one.
//! Each thread has its own generator, so that threads of the test harness do not disturb the
//! simulation.

use std::cell::Cell;
use std::ffi::{c_uint, c_void};

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0x7472_6f75_7065) };
}

/// Seeds the generator of this thread.
pub fn seed(seed: u64) {
    STATE.set(seed);
}

/// splitmix64: these bytes need not be unpredictable.
fn next() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// # Safety
/// As libc's: `buffer` points to `length` writable bytes.
#[unsafe(no_mangle)]
#[allow(unsafe_code, reason = "a C function of this name is the only way to reach every library")]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller guarantees it. An empty request may come with any pointer, and writes
    // nothing.
    let bytes = match length {
        0 => &mut [],
        _ => unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) },
    };
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    length as isize
}
