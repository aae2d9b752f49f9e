//! What the caller's pointers refer to. Everything unsafe about reading and writing the caller's memory is here
//! and in the functions of the ABI, which say what their callers promise.

#![allow(unsafe_code, reason = "the caller's memory")]

use std::marker::PhantomData;
use std::ops::Deref;
use std::slice;
use std::str;

use turbohttp::{HeaderMap, HeaderName, HeaderValue};

use crate::abi::{
    ThClientConfig, ThCloseReport, ThField, ThFields, ThProgress, ThRequest, ThStats, ThText,
    ThTimeline,
};
use crate::fault::{Fault, Result};

/// The most bytes of a structure, of whatever version.
const STRUCT_BYTES_MAX: usize = 4_096;

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
        (false, len) if isize::try_from(len).is_err() => Err(Fault::argument(format!(
            "{what} has {len} bytes, which are too many"
        ))),
        // SAFETY: not null, readable by the contract of this function, and no longer than an object may be.
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
/// As [`bytes()`].
pub(crate) unsafe fn text<'a>(ptr: *const u8, len: u32, what: &'static str) -> Result<&'a str> {
    // SAFETY: by the contract of this function.
    let bytes = unsafe { bytes(ptr, len, what) }?;
    let why = |_| Fault::argument(format!("{what} is no text of UTF-8"));
    str::from_utf8(bytes).map_err(why)
}

/// A structure of the caller that may be passed: it begins with its size, a `u32`, and zero is a value of each of
/// its members.
///
/// # Safety
///
/// That is so, for each type that this is implemented for.
pub(crate) unsafe trait Sized32: Copy {
    /// The size that the first version of the structure had.
    const FIRST: usize = size_of::<Self>();
}

// SAFETY: its first member is `struct_size`; its others are integers, pointers, and structures of those.
unsafe impl Sized32 for ThClientConfig {}
// SAFETY: as `ThClientConfig`.
unsafe impl Sized32 for ThRequest {}
// SAFETY: as `ThClientConfig`.
unsafe impl Sized32 for ThStats {}
// SAFETY: as `ThClientConfig`.
unsafe impl Sized32 for ThCloseReport {}
// SAFETY: as `ThClientConfig`.
unsafe impl Sized32 for ThTimeline {}
// SAFETY: as `ThClientConfig`.
unsafe impl Sized32 for ThProgress {}

/// A structure of the caller, and whatever it points to.
#[derive(Debug)]
pub(crate) struct Lent<'a, T> {
    value: T,
    lender: PhantomData<&'a T>,
}

impl<'a, T: Sized32> Lent<'a, T> {
    /// A caller of another version may know fewer members, which are zero then, or more, which must be zero.
    ///
    /// # Safety
    ///
    /// `ptr` is null, or as many bytes as it says by its first member can be read there, as can all texts and fields
    /// in it, for as long as the result is used.
    pub(crate) unsafe fn new(ptr: *const T, what: &'static str) -> Result<Lent<'a, T>> {
        // SAFETY: by the contract of this function.
        let size = unsafe { size_of_caller(ptr, what) }?;
        // SAFETY: so many bytes can be read by the contract of this function.
        let bytes = unsafe { bytes(ptr.cast::<u8>(), size as u32, what) }?;
        let known = size.min(size_of::<T>());
        if bytes[known..].iter().any(|byte| *byte != 0) {
            let text = format!("{what} asks for more than this version of the library knows");
            return Err(Fault::argument(text));
        }
        // SAFETY: zero is a value of `T`, by the contract of its trait.
        let mut value: T = unsafe { std::mem::zeroed() };
        // SAFETY: `known` is at most the size of both, which do not overlap.
        unsafe {
            (&raw mut value)
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), known);
        }
        Ok(Lent {
            value,
            lender: PhantomData,
        })
    }
}

impl<'a> Lent<'a, ThFields> {
    /// # Safety
    ///
    /// `ptr` is null, or can be read, as can all fields in it, for as long as the result is used.
    pub(crate) unsafe fn fields_at(ptr: *const ThFields, what: &'static str) -> Result<Self> {
        check(ptr, what)?;
        Ok(Lent {
            // SAFETY: not null and aligned, and readable by the contract of this function.
            value: unsafe { ptr.read() },
            lender: PhantomData,
        })
    }
}

impl<'a, T> Lent<'a, T> {
    /// One of its texts, as bytes.
    pub(crate) fn bytes(&self, of: fn(&T) -> &ThText, what: &'static str) -> Result<&'a [u8]> {
        let text = of(&self.value);
        // SAFETY: a text of this structure, which can be read by the contract of `new`.
        unsafe { bytes(text.ptr, text.len, what) }
    }

    /// One of its texts.
    pub(crate) fn text(&self, of: fn(&T) -> &ThText, what: &'static str) -> Result<&'a str> {
        let text = of(&self.value);
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
        unsafe { fields(of(&self.value)) }
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The size that the caller says a structure of its has, which it begins with.
///
/// # Safety
///
/// `ptr` is null, or its first member can be read.
unsafe fn size_of_caller<T: Sized32>(ptr: *const T, what: &'static str) -> Result<usize> {
    check(ptr, what)?;
    // SAFETY: not null, aligned, and readable by the contract of this function; the first member is a `u32`, by the
    // contract of the trait.
    let size = unsafe { ptr.cast::<u32>().read() } as usize;
    match size < T::FIRST || size > STRUCT_BYTES_MAX {
        true => {
            let text = format!(
                "{what}: struct_size is {size}, and the structure has {}",
                T::FIRST
            );
            Err(Fault::argument(text))
        }
        false => Ok(size),
    }
}

/// Gives a structure to the caller, as much of it as it knows. What it knows more stays as it is.
///
/// # Safety
///
/// `ptr` is null, or as many bytes as it says by its first member can be written there.
pub(crate) unsafe fn fill<T: Sized32>(ptr: *mut T, value: &T, what: &'static str) -> Result<()> {
    // SAFETY: by the contract of this function.
    let size = unsafe { size_of_caller(ptr.cast_const(), what) }?;
    let known = size.min(size_of::<T>()) - size_of::<u32>();
    let from = (&raw const *value).cast::<u8>();
    // SAFETY: `known` bytes behind the first member are within both, which do not overlap.
    unsafe {
        ptr.cast::<u8>()
            .add(size_of::<u32>())
            .copy_from_nonoverlapping(from.add(size_of::<u32>()), known);
    }
    Ok(())
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
