//! SETTINGS (RFC 9113 section 6.5): what this side asks for, and what the peer does.

use super::error::{ConnectionError, ErrorCode};
use super::frame::{self, FRAME_BYTES_MAX, MAX_31_BITS, kind};
use super::limits::{Limits, SETTINGS_MAX};

mod id {
    pub(super) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(super) const ENABLE_PUSH: u16 = 0x2;
    pub(super) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(super) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(super) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
    /// RFC 9218 section 2.1.
    pub(super) const NO_RFC7540_PRIORITIES: u16 = 0x9;
}

/// The window of a new stream and of the connection before anything was said.
pub(crate) const WINDOW_AT_FIRST: u32 = 65_535;

/// The table that a peer's decoder has before it says anything else.
pub(crate) const TABLE_BYTES_AT_FIRST: u32 = 4_096;

/// What one SETTINGS frame of the peer changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The smallest and the last value, both of which the encoder has to say (RFC 7541 section 4.2).
    pub(crate) table_bytes: Option<(u32, u32)>,
    pub(crate) streams_max: Option<u32>,
    pub(crate) initial_window: Option<u32>,
    pub(crate) field_list_bytes: Option<u32>,
}

/// What the peer has said so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerSettings {
    /// `None` before the first SETTINGS; `u32::MAX` if they set no bound.
    pub(crate) streams_max: Option<u32>,
    pub(crate) initial_window: u32,
    /// The most bytes of a field list, each field counted with 32 more.
    pub(crate) field_list_bytes: u32,
}

impl Default for PeerSettings {
    fn default() -> PeerSettings {
        PeerSettings {
            streams_max: None,
            initial_window: WINDOW_AT_FIRST,
            field_list_bytes: u32::MAX,
        }
    }
}

/// Reads the payload of a SETTINGS frame that is no acknowledgement.
pub(crate) fn parse(payload: &[u8]) -> Result<Changes, ConnectionError> {
    let (settings, rest) = payload.as_chunks::<6>();
    if !rest.is_empty() {
        return Err(ConnectionError::frame_size("SETTINGS of a broken length"));
    }
    if settings.len() > SETTINGS_MAX {
        return Err(ConnectionError::calm("too many settings in one frame"));
    }
    let mut changes = Changes::default();
    for [i0, i1, v0, v1, v2, v3] in settings {
        let value = u32::from_be_bytes([*v0, *v1, *v2, *v3]);
        match u16::from_be_bytes([*i0, *i1]) {
            id::HEADER_TABLE_SIZE => {
                let least = changes.table_bytes.map_or(value, |(least, _)| least);
                changes.table_bytes = Some((least.min(value), value));
            }
            // Push is the client's to allow (RFC 9113 section 6.5.2).
            id::ENABLE_PUSH if value != 0 => {
                return Err(ConnectionError::protocol("server sent ENABLE_PUSH"));
            }
            id::MAX_CONCURRENT_STREAMS => changes.streams_max = Some(value),
            id::INITIAL_WINDOW_SIZE if value > MAX_31_BITS => {
                let code = ErrorCode::FLOW_CONTROL_ERROR;
                return Err(ConnectionError::new(code, "INITIAL_WINDOW_SIZE too large"));
            }
            id::INITIAL_WINDOW_SIZE => changes.initial_window = Some(value),
            // Larger frames than the default are never sent, so that only its bounds matter.
            id::MAX_FRAME_SIZE if !(FRAME_BYTES_MAX as u32..1 << 24).contains(&value) => {
                return Err(ConnectionError::protocol("MAX_FRAME_SIZE out of bounds"));
            }
            id::MAX_HEADER_LIST_SIZE => changes.field_list_bytes = Some(value),
            id::NO_RFC7540_PRIORITIES if value > 1 => {
                return Err(ConnectionError::protocol(
                    "NO_RFC7540_PRIORITIES is no flag",
                ));
            }
            // Unknown ones are ignored (RFC 9113 section 6.5.2).
            _ => {}
        }
    }
    Ok(changes)
}

/// Appends what this side says first: the preface, SETTINGS, and the window of the connection.
pub(crate) fn put_first(out: &mut Vec<u8>, limits: &Limits) {
    out.extend_from_slice(frame::PREFACE);
    let head_bytes = u32::try_from(limits.head.bytes).unwrap_or(u32::MAX);
    let settings = [
        (id::ENABLE_PUSH, 0),
        (id::INITIAL_WINDOW_SIZE, limits.stream_window),
        (id::MAX_HEADER_LIST_SIZE, head_bytes),
        (id::NO_RFC7540_PRIORITIES, 1),
    ];
    frame::put_head(out, kind::SETTINGS, 0, 0, 6 * settings.len());
    for (id, value) in settings {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
    let more = limits.receive_bytes.saturating_sub(WINDOW_AT_FIRST);
    if more > 0 {
        frame::put_window_update(out, 0, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(settings: &[(u16, u32)]) -> Vec<u8> {
        let bytes = settings.iter().flat_map(|(id, value)| {
            let (id, value) = (id.to_be_bytes(), value.to_be_bytes());
            id.into_iter().chain(value)
        });
        bytes.collect()
    }

    #[test]
    fn settings_are_read() {
        let changes = parse(&payload(&[
            (1, 100),
            (3, 7),
            (1, 0),
            (1, 50),
            (4, 9),
            (6, 8),
        ]));
        assert_eq!(
            changes,
            Ok(Changes {
                table_bytes: Some((0, 50)),
                streams_max: Some(7),
                initial_window: Some(9),
                field_list_bytes: Some(8),
            })
        );
        assert_eq!(
            parse(&payload(&[(0xff, 1), (2, 0), (5, 16_384)])),
            Ok(Changes::default())
        );
    }

    #[test]
    fn faults_have_their_codes() {
        let cases: [(&[(u16, u32)], ErrorCode); 6] = [
            (&[(2, 1)], ErrorCode::PROTOCOL_ERROR),
            (&[(4, 1 << 31)], ErrorCode::FLOW_CONTROL_ERROR),
            (&[(5, 16_383)], ErrorCode::PROTOCOL_ERROR),
            (&[(5, 1 << 24)], ErrorCode::PROTOCOL_ERROR),
            (&[(9, 2)], ErrorCode::PROTOCOL_ERROR),
            (&[(1, 1); 33], ErrorCode::ENHANCE_YOUR_CALM),
        ];
        for (settings, code) in cases {
            assert_eq!(
                parse(&payload(settings)).unwrap_err().code,
                code,
                "{settings:?}"
            );
        }
        let code = parse(&[0; 7]).unwrap_err().code;
        assert_eq!(code, ErrorCode::FRAME_SIZE_ERROR);
    }
}
