//! How far a cache goes.

use crate::limits::{HEAD_BYTES_MAX, URL_BYTES_MAX};

/// Smallest bound of a `Cache`, in bytes: a few small responses must fit.
pub(super) const CACHE_BYTES_MIN: u64 = 64 * 1024;

/// The part of a cache that one response may take: a larger one would push out too much.
pub(super) const CACHE_SHARE: u64 = 8;

/// Largest body that is stored in a directory, in bytes: a body is in memory while it is written or read.
pub(super) const CACHE_FILE_BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of bodies that are on their way into a cache at once; one that comes beyond it is not stored.
pub(super) const CACHE_PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Responses to one URL that a cache has at once, by Vary: the one that was not used for longest goes.
pub(super) const CACHE_VARIANTS_MAX: usize = 8;

/// Entries that a cache has at once, and files that are looked at when a directory is opened.
pub(super) const CACHE_ENTRIES_MAX: usize = 1 << 20;

/// Stale responses that are validated in the background at once; one more is validated before it is used.
pub(super) const CACHE_REFRESHES_MAX: usize = 64;

/// What an entry takes besides its head and body, in bytes: tables, allocations, a part of a block on a disk.
pub(super) const CACHE_ENTRY_OVERHEAD_BYTES: u64 = 512;

/// Age and lifetime that a cache counts at most, in seconds: the 68 years of RFC 9111 section 1.2.2.
pub(super) const CACHE_SECONDS_MAX: u64 = 1 << 31;

/// How long a response counts as fresh that says nothing about it, in seconds: a week.
pub(super) const CACHE_HEURISTIC_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// Largest head of an entry in a file, in bytes: that of a response, and some more.
pub(super) const CACHE_HEAD_BYTES_MAX: usize = HEAD_BYTES_MAX + 2 * URL_BYTES_MAX;

/// How old a half-written file of a cache is when it is removed, in seconds: none takes so long to write.
pub(super) const CACHE_LEFTOVER_SECONDS: u64 = 60 * 60;

const _: () = assert!(CACHE_FILE_BODY_BYTES_MAX <= CACHE_PENDING_BYTES_MAX as u64);
