//! A host of the ABI: what a program in C would keep.

use std::collections::HashMap;
use std::ptr::null;

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{body::*, client::*, events::*, library::*, request::*};
use turbohttp_loopback::{Options, Server};

/// How often a test polls before it gives up: 100 ms each.
const POLLS_MAX: u32 = 300;

pub(crate) const NONE: ThText = ThText {
    ptr: null(),
    len: 0,
    reserved: 0,
};

pub(crate) fn text(text: &str) -> ThText {
    ThText {
        ptr: text.as_ptr(),
        len: text.len() as u32,
        reserved: 0,
    }
}

pub(crate) fn config() -> ThClientConfig {
    // SAFETY: zero is a value of each of its members, and means the default.
    let zero: ThClientConfig = unsafe { std::mem::zeroed() };
    ThClientConfig {
        struct_size: size_of::<ThClientConfig>() as u32,
        ..zero
    }
}

pub(crate) fn request(url: &str) -> ThRequest {
    // SAFETY: as above.
    let zero: ThRequest = unsafe { std::mem::zeroed() };
    ThRequest {
        struct_size: size_of::<ThRequest>() as u32,
        url: text(url),
        ..zero
    }
}

/// A client, and the events that were polled.
pub(crate) struct Host {
    pub(crate) client: ThClient,
    pub(crate) events: HashMap<ThRequestId, Vec<ThEvent>>,
}

impl Host {
    pub(crate) fn new() -> Host {
        Host::with(&config())
    }

    pub(crate) fn with(config: &ThClientConfig) -> Host {
        let mut client = 0;
        // SAFETY: both live.
        let code = unsafe { th_client_create(config, 1, &mut client) };
        assert_eq!(code, TH_OK, "{}", last_error());
        Host {
            client,
            events: HashMap::new(),
        }
    }

    pub(crate) fn try_submit(&self, request: &ThRequest, user: u64) -> Result<ThRequestId, i32> {
        let mut id = 0;
        // SAFETY: both live, as do the texts that the caller has put in.
        match unsafe { th_submit(self.client, request, user, &mut id) } {
            TH_OK => Ok(id),
            code => Err(code),
        }
    }

    pub(crate) fn submit(&self, request: &ThRequest) -> ThRequestId {
        self.try_submit(request, 0)
            .unwrap_or_else(|code| panic!("{code}: {}", last_error()))
    }

    pub(crate) fn get(&self, url: &str) -> ThRequestId {
        self.submit(&request(url))
    }

    /// Polls once.
    pub(crate) fn poll(&mut self, wait_ms: u32) -> usize {
        let mut events = [ThEvent::default(); 16];
        // SAFETY: 16 events can be written.
        let count = unsafe { th_poll(self.client, events.as_mut_ptr(), 16, wait_ms) };
        assert!(count >= 0, "{count}: {}", last_error());
        for event in &events[..count as usize] {
            self.events.entry(event.request).or_default().push(*event);
        }
        count as usize
    }

    /// Polls until a request has said this.
    pub(crate) fn wait(&mut self, id: ThRequestId, kind: u32) -> ThEvent {
        for _ in 0..POLLS_MAX {
            let said = self.events.get(&id).into_iter().flatten();
            if let Some(event) = said.into_iter().find(|event| event.kind == kind) {
                return *event;
            }
            self.poll(100);
        }
        panic!("no event of kind {kind}");
    }

    pub(crate) fn done(&mut self, id: ThRequestId) -> ThEvent {
        self.wait(id, TH_EVENT_DONE)
    }

    /// The kinds that a request has said, in order.
    pub(crate) fn kinds(&self, id: ThRequestId) -> Vec<u32> {
        let said = self.events.get(&id).into_iter().flatten();
        said.map(|event| event.kind).collect()
    }

    /// One read without waiting: the bytes and the code.
    pub(crate) fn read(&self, id: ThRequestId, cap: u32) -> (Vec<u8>, i32) {
        self.read_within(id, cap, 0)
    }

    pub(crate) fn read_within(&self, id: ThRequestId, cap: u32, wait_ms: u32) -> (Vec<u8>, i32) {
        let mut bytes = vec![0; cap as usize];
        let mut got = 0;
        // SAFETY: `cap` bytes can be written.
        let code =
            unsafe { th_body_read(self.client, id, bytes.as_mut_ptr(), cap, wait_ms, &mut got) };
        bytes.truncate(got as usize);
        (bytes, code)
    }

    /// The rest of the body, read as a host does: until nothing is there, then after the next event.
    pub(crate) fn body(&mut self, id: ThRequestId) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..100_000 {
            let (bytes, code) = self.read(id, 10_000);
            body.extend(bytes);
            match code {
                TH_OK => {}
                TH_EOF => return body,
                TH_WOULD_BLOCK => _ = self.poll(100),
                code => panic!("{code}: {}", self.error(id)),
            }
        }
        panic!("the body does not end");
    }

    pub(crate) fn error(&self, id: ThRequestId) -> String {
        // SAFETY: as many bytes can be written as the text has.
        text_by(|dst, cap| unsafe { th_request_error(self.client, id, dst, cap) })
    }

    /// The fields of the response.
    pub(crate) fn fields(&self, id: ThRequestId) -> Vec<(String, String)> {
        // SAFETY: zero is a value of each of its members.
        let mut head: ThHead = unsafe { std::mem::zeroed() };
        // SAFETY: it lives.
        assert_eq!(unsafe { th_head(self.client, id, &mut head) }, TH_OK);
        fields(&head)
    }

    pub(crate) fn stats(&self) -> ThStats {
        let mut stats = ThStats {
            struct_size: size_of::<ThStats>() as u32,
            ..ThStats::default()
        };
        // SAFETY: it lives.
        let code = unsafe { th_client_stats(self.client, &mut stats) };
        assert_eq!(code, TH_OK, "{}", last_error());
        stats
    }

    /// Polls until this holds.
    pub(crate) fn until(&mut self, holds: impl Fn(&Host) -> bool) {
        for _ in 0..POLLS_MAX {
            if holds(self) {
                return;
            }
            self.poll(10);
        }
        panic!("it never holds: {:?}", self.stats());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        th_client_destroy(self.client, 1_000);
    }
}

pub(crate) fn fields(head: &ThHead) -> Vec<(String, String)> {
    if head.count == 0 {
        return Vec::new();
    }
    // SAFETY: the view of a request that was not released.
    let (arena, places) = unsafe {
        (
            std::slice::from_raw_parts(head.arena, head.arena_len as usize),
            std::slice::from_raw_parts(head.fields, head.count as usize),
        )
    };
    let part = |offset: u32, length: u32| {
        let bytes = &arena[offset as usize..][..length as usize];
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let field = |place: &ThField| {
        let name = part(place.name_off, place.name_len);
        (name, part(place.value_off, place.value_len))
    };
    places.iter().map(field).collect()
}

pub(crate) fn last_error() -> String {
    // SAFETY: as many bytes can be written as the text has.
    text_by(|dst, cap| unsafe { th_last_error(dst, cap) })
}

fn text_by(copy: impl Fn(*mut u8, u32) -> u32) -> String {
    let length = copy(std::ptr::null_mut(), 0);
    let mut text = vec![0; length as usize];
    assert_eq!(copy(text.as_mut_ptr(), length), length);
    String::from_utf8(text).unwrap()
}

pub(crate) fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

/// The bytes that the server gives.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}
