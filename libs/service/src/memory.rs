//! How a process holds memory.

/// Has the kernel give this process small pages only. The allocator asks for huge ones, which hold two megabytes where a
/// service at rest needs some kilobytes: without them the standalone's heap at rest is half as large (23 MiB for 48).
/// Called first in `main`; where the kernel knows no such thing, nothing is different.
pub fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        // Nobody listens yet, and nothing but memory is lost.
        tracing::debug!(%error, "huge pages stay");
    }
}
