//! Preloaded into a node under test (`LD_PRELOAD`): makes its disk and its clock fail on command,
//! at run time and without root.
//!
//! It wraps the libc calls that write, sync and read the time. Every call reads its orders from a
//! page shared with the harness: the file named by `FAULT_SHIM_CONTROL`, eight numbers (`Cell`)
//! that `chaos/src/shim.rs` writes. It affects only files below `FAULT_SHIM_DIR`, so logs and
//! sockets work as usual. It has no dependencies and is one file, because chaos/build.rs compiles
//! it alone and embeds it. It must not allocate, panic or log: it runs inside every `write`.

#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

type ssize_t = isize;
type off_t = i64;

#[repr(C)]
pub struct timespec {
    seconds: i64,
    nanos: i64,
}

#[repr(C)]
pub struct timeval {
    seconds: i64,
    micros: i64,
}

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn mmap(at: *mut c_void, length: usize, protection: c_int, flags: c_int, fd: c_int, offset: off_t) -> *mut c_void;
    fn readlink(path: *const c_char, buffer: *mut c_char, size: usize) -> ssize_t;
    fn strlen(text: *const c_char) -> usize;
    fn usleep(micros: u32) -> c_int;
    fn __errno_location() -> *mut c_int;
}

const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;
const O_RDWR: c_int = 2;
const PROT_READ_WRITE: c_int = 3;
const MAP_SHARED: c_int = 1;
const CLOCK_REALTIME: c_int = 0;
const CLOCK_REALTIME_COARSE: c_int = 5;

/// Index of each number in the shared page, in steps of eight bytes.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Cell {
    /// The errno that writes fail with; 0: they work.
    WriteErrno = 0,
    /// The errno that syncs fail with; 0: they work.
    SyncErrno = 1,
    /// Added to every sync.
    SyncMicros = 2,
    /// Added to the wall clock.
    ClockNanos = 3,
    /// Counts the faults: evidence for the harness.
    Injected = 4,
}

const CELLS: usize = 8;
type Page = [AtomicI64; CELLS];

/// No orders: all zeros.
static NOTHING: Page = [const { AtomicI64::new(0) }; CELLS];
static PAGE: AtomicPtr<Page> = AtomicPtr::new(null_mut());

fn page() -> &'static Page {
    let held = PAGE.load(Ordering::Acquire);
    if !held.is_null() {
        // SAFETY: only `map` stores here, and what it maps or points to is never freed.
        return unsafe { &*held };
    }
    let mapped = map();
    // Two threads may both arrive here first; then one mapping of the same file is leaked, without
    // harm.
    PAGE.store(std::ptr::from_ref(mapped).cast_mut(), Ordering::Release);
    mapped
}

fn map() -> &'static Page {
    // SAFETY: plain calls of libc with texts that end in zero; a mapping of a shared file stays
    // valid for the life of the process.
    unsafe {
        let path = getenv(c"FAULT_SHIM_CONTROL".as_ptr());
        if path.is_null() {
            return &NOTHING;
        }
        let fd = open(path, O_RDWR);
        if fd < 0 {
            return &NOTHING;
        }
        let at = mmap(null_mut(), size_of::<Page>(), PROT_READ_WRITE, MAP_SHARED, fd, 0);
        if at as isize == -1 { &NOTHING } else { &*at.cast::<Page>() }
    }
}

fn told(cell: Cell) -> i64 {
    page()[cell as usize].load(Ordering::Relaxed)
}

fn injected() {
    page()[Cell::Injected as usize].fetch_add(1, Ordering::Relaxed);
}

/// Whether a descriptor is a file below the folder that may fail.
fn is_ours(fd: c_int) -> bool {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    if fd < 0 {
        return false;
    }
    let mut link = [0u8; 32];
    link[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut digits = [0u8; 12];
    let mut count = 0;
    let mut rest = fd;
    while count == 0 || rest > 0 {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    for place in 0..count {
        link[PREFIX.len() + place] = digits[count - 1 - place];
    }
    let mut target = [0u8; 1024];
    // SAFETY: `link` ends in zeros, the call gets the buffer's size, and getenv's text lives as
    // long as the environment is unchanged.
    unsafe {
        let length = readlink(link.as_ptr().cast(), target.as_mut_ptr().cast(), target.len());
        let folder = getenv(c"FAULT_SHIM_DIR".as_ptr());
        if length <= 0 || folder.is_null() {
            return false;
        }
        let folder = std::slice::from_raw_parts(folder.cast::<u8>(), strlen(folder));
        target[..length as usize].starts_with(folder)
    }
}

fn fail(errno: i64) -> c_int {
    injected();
    // SAFETY: libc gives each thread a valid place for its errno.
    unsafe { *__errno_location() = errno as c_int };
    -1
}

/// libc's own function of a name, looked up once.
macro_rules! real {
    ($name:literal, $type:ty) => {{
        static FOUND: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
        let mut found = FOUND.load(Ordering::Relaxed);
        if found.is_null() {
            // SAFETY: a name that ends in zero; every name asked for here is in glibc.
            found = unsafe { dlsym(RTLD_NEXT, $name.as_ptr()) };
            FOUND.store(found, Ordering::Relaxed);
        }
        // SAFETY: the type is that of the function of this name.
        unsafe { std::mem::transmute::<*mut c_void, $type>(found) }
    }};
}

/// A call that puts bytes into a file.
macro_rules! writes {
    ($name:ident($fd:ident $(, $arg:ident: $type:ty)*) -> $answer:ty, $text:literal) => {
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($fd: c_int $(, $arg: $type)*) -> $answer {
            let errno = told(Cell::WriteErrno);
            if errno != 0 && is_ours($fd) {
                return fail(errno) as $answer;
            }
            let real = real!($text, unsafe extern "C" fn(c_int $(, $type)*) -> $answer);
            // SAFETY: the caller's own arguments.
            unsafe { real($fd $(, $arg)*) }
        }
    };
}

writes!(write(fd, buffer: *const c_void, count: usize) -> ssize_t, c"write");
writes!(pwrite(fd, buffer: *const c_void, count: usize, offset: off_t) -> ssize_t, c"pwrite");
writes!(pwrite64(fd, buffer: *const c_void, count: usize, offset: off_t) -> ssize_t, c"pwrite64");
writes!(writev(fd, vectors: *const c_void, count: c_int) -> ssize_t, c"writev");
writes!(pwritev(fd, vectors: *const c_void, count: c_int, offset: off_t) -> ssize_t, c"pwritev");
writes!(fallocate(fd, mode: c_int, offset: off_t, length: off_t) -> c_int, c"fallocate");
writes!(ftruncate(fd, length: off_t) -> c_int, c"ftruncate");

/// A call that makes bytes durable.
macro_rules! syncs {
    ($name:ident($fd:ident $(, $arg:ident: $type:ty)*), $text:literal) => {
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($fd: c_int $(, $arg: $type)*) -> c_int {
            let (errno, micros) = (told(Cell::SyncErrno), told(Cell::SyncMicros));
            if (errno != 0 || micros != 0) && is_ours($fd) {
                if micros > 0 {
                    injected();
                    // SAFETY: only sleeps.
                    unsafe { usleep(micros as u32) };
                }
                if errno != 0 {
                    return fail(errno);
                }
            }
            let real = real!($text, unsafe extern "C" fn(c_int $(, $type)*) -> c_int);
            // SAFETY: the caller's own arguments.
            unsafe { real($fd $(, $arg)*) }
        }
    };
}

syncs!(fsync(fd), c"fsync");
syncs!(fdatasync(fd), c"fdatasync");
syncs!(sync_file_range(fd, offset: off_t, count: off_t, flags: u32), c"sync_file_range");

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, at: *mut timespec) -> c_int {
    let real = real!(c"clock_gettime", unsafe extern "C" fn(c_int, *mut timespec) -> c_int);
    // SAFETY: the caller's own arguments.
    let answer = unsafe { real(clock, at) };
    if answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        let ahead = told(Cell::ClockNanos);
        if ahead != 0 {
            injected();
            // SAFETY: libc has just written there.
            let at = unsafe { &mut *at };
            let nanos = at.nanos + ahead % 1_000_000_000;
            at.seconds += ahead / 1_000_000_000 + nanos.div_euclid(1_000_000_000);
            at.nanos = nanos.rem_euclid(1_000_000_000);
        }
    }
    answer
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(at: *mut timeval, _zone: *mut c_void) -> c_int {
    let mut now = timespec { seconds: 0, nanos: 0 };
    // SAFETY: a place of our own, and then the caller's, which libc would write to as well.
    unsafe {
        let answer = clock_gettime(CLOCK_REALTIME, &raw mut now);
        if answer == 0 && !at.is_null() {
            *at = timeval { seconds: now.seconds, micros: now.nanos / 1000 };
        }
        answer
    }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(at: *mut i64) -> i64 {
    let mut now = timespec { seconds: 0, nanos: 0 };
    // SAFETY: as above.
    unsafe {
        if clock_gettime(CLOCK_REALTIME, &raw mut now) != 0 {
            return -1;
        }
        if !at.is_null() {
            *at = now.seconds;
        }
    }
    now.seconds
}
