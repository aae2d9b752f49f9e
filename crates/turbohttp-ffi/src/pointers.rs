//! What the caller's pointers refer to. Everything unsafe about reading and writing the caller's memory is here
//! and in the functions of the ABI, which say what their callers promise.

#![allow(unsafe_code, reason = "the caller's memory")]

use std::ops::Deref;
use std::slice;
use std::str;

use turbohttp::{HeaderMap, HeaderName, HeaderValue};

use crate::abi::{ThField, ThFields, ThText};
use crate::fault::{Fault, Result};

/// The most fields of one request.
const FIELDS_MAX: u32 = 10_000;

/// Bytes of the caller.
///
/// # Safety
///
/// `ptr` is null, or `len` bytes from it on can be read for as long as the result is used.
pub(crate) unsafe fn bytes<'a>(ptr: *const u8, len: u32, what: &'static str) -> Result<&'a [u8]> {
    match (ptr.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Fault::argument(format!("{what} is null, with a length"))),
        // SAFETY: not null, and readable by the contract of this function.
        (false, len) => Ok(unsafe { slice::from_raw_parts(ptr, len as usize) }),
    }
}

/// Memory of the caller that is filled from its begin on. It need not be initialized.
#[derive(Debug)]
pub(crate) struct Room {
    next: *mut u8,
    left: usize,
}

impl Room {
    /// # Safety
    ///
    /// `ptr` is null, or `len` bytes from it on can be written, and are used by nobody else, for as long as the
    /// room is used.
    pub(crate) unsafe fn new(ptr: *mut u8, len: u32, what: &'static str) -> Result<Room> {
        match (ptr.is_null(), len) {
            (true, 1..) => Err(Fault::argument(format!("{what} is null, with a length"))),
            _ => Ok(Room {
                next: ptr,
                left: len as usize,
            }),
        }
    }

    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Appends bytes, of which there are no more than are left.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.left, "more bytes than room");
        if bytes.is_empty() {
            return;
        }
        // SAFETY: `bytes.len()` is at most what is left, which can be written by the contract of `new`; and what
        // this library owns does not overlap with it.
        unsafe {
            self.next
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        // SAFETY: within, or one past the end of, the same memory.
        self.next = unsafe { self.next.add(bytes.len()) };
        self.left -= bytes.len();
    }
}

/// A text of the caller.
///
/// # Safety
///
/// As [`bytes`].
pub(crate) unsafe fn text<'a>(ptr: *const u8, len: u32, what: &'static str) -> Result<&'a str> {
    // SAFETY: by the contract of this function.
    let bytes = unsafe { bytes(ptr, len, what) }?;
    let why = |_| Fault::argument(format!("{what} is no text of UTF-8"));
    str::from_utf8(bytes).map_err(why)
}

/// A structure of the caller, and whatever it points to.
#[derive(Debug)]
pub(crate) struct Lent<'a, T>(&'a T);

impl<'a, T> Lent<'a, T> {
    /// # Safety
    ///
    /// `ptr` is null, or can be read as a `T`, as can all texts and fields in it, for as long as the result is
    /// used.
    pub(crate) unsafe fn new(ptr: *const T, what: &'static str) -> Result<Lent<'a, T>> {
        check(ptr, what)?;
        // SAFETY: not null and aligned, and readable by the contract of this function.
        Ok(Lent(unsafe { &*ptr }))
    }

    /// One of its texts, as bytes.
    pub(crate) fn bytes(&self, of: fn(&T) -> &ThText, what: &'static str) -> Result<&'a [u8]> {
        let text = of(self.0);
        // SAFETY: a text of this structure, which can be read by the contract of `new`.
        unsafe { bytes(text.ptr, text.len, what) }
    }

    /// One of its texts.
    pub(crate) fn text(&self, of: fn(&T) -> &ThText, what: &'static str) -> Result<&'a str> {
        let text = of(self.0);
        // SAFETY: a text of this structure, which can be read by the contract of `new`.
        unsafe { self::text(text.ptr, text.len, what) }
    }

    /// One of its texts, unless it is empty.
    pub(crate) fn given(
        &self,
        of: fn(&T) -> &ThText,
        what: &'static str,
    ) -> Result<Option<&'a str>> {
        let text = self.text(of, what)?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// Its fields.
    pub(crate) fn fields(&self, of: fn(&T) -> &ThFields) -> Result<HeaderMap> {
        // SAFETY: fields of this structure, which can be read by the contract of `new`.
        unsafe { fields(of(self.0)) }
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

/// The size that the caller has set in a structure to be filled, which begins with it.
///
/// # Safety
///
/// `ptr` is null, or can be read as a `T`.
pub(crate) unsafe fn size_of_caller<T>(ptr: *const T, what: &'static str) -> Result<u32> {
    check(ptr, what)?;
    // SAFETY: not null, aligned, and readable by the contract of this function; the first member is a `u32`.
    Ok(unsafe { ptr.cast::<u32>().read() })
}

/// Gives a value to the caller.
///
/// # Safety
///
/// `ptr` is null, or a `T` can be written there.
pub(crate) unsafe fn give<T>(ptr: *mut T, value: T, what: &'static str) -> Result<()> {
    check(ptr.cast_const(), what)?;
    // SAFETY: not null and aligned, and writable by the contract of this function.
    unsafe { ptr.write(value) };
    Ok(())
}

/// That a pointer can be one to a `T`.
pub(crate) fn check<T>(ptr: *const T, what: &'static str) -> Result<()> {
    match ptr {
        ptr if ptr.is_null() => Err(Fault::argument(format!("{what} is null"))),
        ptr if !ptr.is_aligned() => Err(Fault::argument(format!("{what} is not aligned"))),
        _ => Ok(()),
    }
}

/// The fields that the caller lends.
///
/// # Safety
///
/// `fields.arena` and `fields.fields` are null, or as many bytes and fields can be read from them on.
unsafe fn fields(fields: &ThFields) -> Result<HeaderMap> {
    if fields.count == 0 {
        return Ok(HeaderMap::new());
    }
    if fields.count > FIELDS_MAX {
        let text = format!("{} fields, of at most {FIELDS_MAX}", fields.count);
        return Err(Fault::argument(text));
    }
    check(fields.fields, "headers.fields")?;
    // SAFETY: by the contract of this function.
    let arena = unsafe { bytes(fields.arena, fields.arena_len, "headers.arena") }?;
    // SAFETY: not null, aligned, and readable by the contract of this function.
    let places = unsafe { slice::from_raw_parts(fields.fields, fields.count as usize) };
    let mut map = HeaderMap::with_capacity(places.len());
    for (index, place) in places.iter().enumerate() {
        let (name, value) = field(arena, place)
            .ok_or_else(|| Fault::argument(format!("field {index} is outside of its arena")))?;
        let name = HeaderName::from_bytes(name)
            .map_err(|error| Fault::argument(format!("the name of field {index}: {error}")))?;
        let value = HeaderValue::from_bytes(value)
            .map_err(|error| Fault::argument(format!("the value of {name}: {error}")))?;
        map.append(name, value);
    }
    Ok(map)
}

fn field<'a>(arena: &'a [u8], place: &ThField) -> Option<(&'a [u8], &'a [u8])> {
    let part = |offset: u32, length: u32| {
        let end = (offset as usize).checked_add(length as usize)?;
        arena.get(offset as usize..end)
    };
    Some((
        part(place.name_off, place.name_len)?,
        part(place.value_off, place.value_len)?,
    ))
}
