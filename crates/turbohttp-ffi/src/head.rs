//! The head of a response, or its trailers, as the ABI shows it: one arena, and where the fields are in it.

use turbohttp::{HeaderMap, Response, Version};

use crate::abi::{TH_UNKNOWN, ThField, ThHead};

/// Names, values and the URL in one piece of memory, which stays where it is.
#[derive(Debug, Default)]
pub(crate) struct Head {
    status: u32,
    version: u32,
    content_length: u64,
    /// Neither of them changes, so that what the host looks at stays where it is.
    arena: Vec<u8>,
    fields: Vec<ThField>,
    url: (u32, u32),
}

impl Head {
    /// The head of this response, in the memory of a former one.
    pub(crate) fn of(response: &Response, former: Head) -> Head {
        let (mut arena, mut fields) = (former.arena, former.fields);
        arena.clear();
        fields.clear();
        for (name, value) in response.fields() {
            fields.push(add(&mut arena, name, value));
        }
        let url_off = arena.len() as u32;
        arena.extend_from_slice(response.url().as_bytes());
        Head {
            status: u32::from(response.status().as_u16()),
            version: version(response.version()),
            content_length: response.content_length().unwrap_or(TH_UNKNOWN),
            url: (url_off, arena.len() as u32 - url_off),
            arena,
            fields,
        }
    }

    pub(crate) fn of_trailers(trailers: &HeaderMap) -> Head {
        let mut arena = Vec::new();
        let fields = trailers
            .iter()
            .map(|(name, value)| add(&mut arena, name.as_str(), value.as_bytes()))
            .collect();
        Head {
            arena,
            fields,
            content_length: TH_UNKNOWN,
            ..Head::default()
        }
    }

    pub(crate) fn status(&self) -> u32 {
        self.status
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn content_length(&self) -> u64 {
        self.content_length
    }

    /// The view of it, valid for as long as this head lives.
    pub(crate) fn view(&self) -> ThHead {
        ThHead {
            status: self.status,
            version: self.version,
            arena_len: self.arena.len() as u32,
            count: self.fields.len() as u32,
            url_off: self.url.0,
            url_len: self.url.1,
            content_length: self.content_length,
            arena: self.arena.as_ptr(),
            fields: self.fields.as_ptr(),
        }
    }
}

/// A head is bounded by `Limits::head_bytes`, of at most 16 MiB, so that no offset is cut.
fn add(arena: &mut Vec<u8>, name: &str, value: &[u8]) -> ThField {
    let name_off = arena.len() as u32;
    arena.extend_from_slice(name.as_bytes());
    arena[name_off as usize..].make_ascii_lowercase();
    let value_off = arena.len() as u32;
    arena.extend_from_slice(value);
    ThField {
        name_off,
        name_len: value_off - name_off,
        value_off,
        value_len: arena.len() as u32 - value_off,
    }
}

fn version(version: Version) -> u32 {
    match version {
        Version::HTTP_10 => 10,
        Version::HTTP_2 => 20,
        _ => 11,
    }
}
