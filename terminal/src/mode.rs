//! The full-screen mode of the terminal, and its end: at the exit, at an error, and at a panic.

use std::io::{self, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{panic, thread};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};

/// Panics of other threads that are kept. Later ones are dropped: the first ones say why.
const KEPT: usize = 8;

/// Panics of other threads. They are printed when the screen is gone, not into it.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal is in its full-screen mode. Leaving it twice would move the cursor of a shell.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal in its full-screen mode, until it is dropped.
pub struct Mode;

impl Mode {
    pub fn enter() -> io::Result<Mode> {
        enable_raw_mode()?;
        // From here on the mode is left again, whatever fails.
        let mode = Mode;
        ENTERED.store(true, Ordering::SeqCst);
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        let (here, before) = (thread::current().id(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == here || !ENTERED.load(Ordering::SeqCst) {
                // The words of a panic are for a terminal in its usual mode.
                leave();
                before(info);
                return;
            }
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            if panics.len() < KEPT {
                panics.push(info.to_string());
            }
        }));
        Ok(mode)
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        leave();
        for panic in PANICS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Printing panics if standard error has gone.
            let _ = writeln!(io::stderr(), "{panic}");
        }
    }
}

/// No further remedy exists if this fails.
fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
