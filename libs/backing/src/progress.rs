//! What a developer who waits is told.

/// Tells on standard error what takes time. Standard output is left to the program's own.
#[expect(
    clippy::print_stderr,
    reason = "addressed to whoever watches the terminal, before telemetry is set up"
)]
pub(crate) fn progress(text: &str) {
    eprintln!("callboard: {text}");
}
