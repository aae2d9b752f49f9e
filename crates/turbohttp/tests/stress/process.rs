//! What the system says of this process.

use std::fs;

/// Open descriptors; `None` where the system does not tell.
pub(crate) fn descriptors() -> Option<usize> {
    let folder = fs::read_dir("/proc/self/fd").ok()?;
    // One of them reads the folder.
    Some(folder.count() - 1)
}

/// Memory that is resident; `None` where the system does not tell.
pub(crate) fn resident_kilobytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
