//! What a round trip takes by itself: one HEADERS frame, encoded beforehand, and reading until the stream
//! has ended.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use turbohttp_loopback::script::frames;

use crate::load::Rate;
use crate::machine;

/// Length of a frame's head.
const HEAD_BYTES: usize = 9;

/// More content than one run reads: no window is updated.
const CREDIT: u32 = 0x7fff_ffff - 65_535;

/// `:method: GET`, `:scheme: http` and `:path: /` in the static table of HPACK.
const INDEXED: [u8; 3] = [0x82, 0x86, 0x84];
/// `:authority` of the static table, with a literal value that goes into no table.
const AUTHORITY: u8 = 0x01;

struct Bare {
    tcp: TcpStream,
    /// HEADERS, whose stream is written into it.
    request: Vec<u8>,
    stream: u32,
    inbox: Vec<u8>,
    filled: usize,
}

/// The requests of one caller, after a quarter of the time to warm up.
pub(super) async fn rate(addr: SocketAddr, seconds: f64) -> Result<Rate> {
    let mut bare = Bare::connect(addr).await?;
    let time = Duration::from_secs_f64(seconds);
    bare.send_until(Instant::now() + time / 4).await?;
    let (began, cpu) = (Instant::now(), machine::thread_cpu_time());
    let made = bare.send_until(began + time).await? as f64;
    let cpu = machine::thread_cpu_time() - cpu;
    Ok(Rate {
        per_second: made / began.elapsed().as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / made,
    })
}

impl Bare {
    async fn connect(addr: SocketAddr) -> Result<Bare> {
        let mut tcp = TcpStream::connect(addr).await?;
        tcp.set_nodelay(true)?;
        let credit = frames::window_update(0, CREDIT);
        let greeting = [frames::PREFACE, &frames::settings(&[]), &credit].concat();
        tcp.write_all(&greeting).await?;
        let authority = addr.to_string();
        let mut block = INDEXED.to_vec();
        block.extend([AUTHORITY, authority.len() as u8]);
        block.extend_from_slice(authority.as_bytes());
        let flags = frames::END_HEADERS | frames::END_STREAM;
        let mut bare = Bare {
            tcp,
            request: frames::headers(0, flags, &block),
            stream: 1,
            inbox: vec![0; 64 * 1024],
            filled: 0,
        };
        bare.read_until(|kind, flags, _| kind == frames::SETTINGS && flags & frames::ACK == 0)
            .await?;
        bare.tcp.write_all(&frames::settings_ack()).await?;
        Ok(bare)
    }

    async fn send_until(&mut self, until: Instant) -> Result<u64> {
        let mut made = 0;
        while Instant::now() < until {
            let id = self.stream;
            self.request[5..HEAD_BYTES].copy_from_slice(&id.to_be_bytes());
            self.tcp.write_all(&self.request).await?;
            self.read_until(|kind, flags, stream| {
                let may_end = matches!(kind, frames::DATA | frames::HEADERS);
                stream == id && may_end && flags & frames::END_STREAM != 0
            })
            .await?;
            self.stream += 2;
            made += 1;
        }
        Ok(made)
    }

    /// Reads and forgets frames until one has come of this kind, with these flags, on this stream.
    async fn read_until(&mut self, is_wanted: impl Fn(u8, u8, u32) -> bool) -> Result<()> {
        loop {
            let mut used = 0;
            let mut is_found = false;
            while let Some(head) = self.inbox[used..self.filled].first_chunk::<HEAD_BYTES>() {
                let [a, b, c, kind, flags, stream @ ..] = *head;
                let end = used + HEAD_BYTES + u32::from_be_bytes([0, a, b, c]) as usize;
                if is_found || end > self.filled {
                    break;
                }
                is_found = is_wanted(kind, flags, u32::from_be_bytes(stream));
                used = end;
            }
            self.inbox.copy_within(used..self.filled, 0);
            self.filled -= used;
            if is_found {
                return Ok(());
            }
            let read = self.tcp.read(&mut self.inbox[self.filled..]).await?;
            ensure!(read > 0, "the server has closed the connection");
            self.filled += read;
        }
    }
}
