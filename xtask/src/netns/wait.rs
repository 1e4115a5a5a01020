//! Time and the end of it: waiting for a condition under a deadline, and for Ctrl-C.
//!
//! A deadline here only ends a hang; no case measures with it. Whoever waits looks at the stop
//! flag too, so that Ctrl-C unwinds every case through its guards and leaves nothing behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C, SIGTERM and SIGHUP set a flag that ends every wait. A second one does what
/// it does by default.
pub(crate) fn listen_for_stop() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if STOPPED.swap(true, Ordering::SeqCst) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Ok(())
}

/// Whether somebody asked this run to end.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// The clock of this program.
#[expect(clippy::disallowed_methods, reason = "the tests run against real programs in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass, for what has no event to wait for: a reader that pauses, a measured second.
#[expect(clippy::disallowed_methods, reason = "a pause is what the caller is about")]
pub(crate) fn pause(time: Duration) -> anyhow::Result<()> {
    let end = now() + time;
    while let Some(left) = end.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        if stopped() {
            bail!("interrupted");
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// Asks `look` again and again until it says something; fails after `limit` or on Ctrl-C.
#[expect(clippy::disallowed_methods, reason = "polls what cannot notify: files and processes")]
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = now();
    let mut step = Duration::from_millis(1);
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if stopped() {
            bail!("interrupted");
        }
        if start.elapsed() > limit {
            bail!("no {what} within {} s", limit.as_secs_f32());
        }
        thread::sleep(step);
        step = (step * 2).min(Duration::from_millis(16));
    }
}
