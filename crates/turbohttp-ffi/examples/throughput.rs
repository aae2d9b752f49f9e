//! How many small requests per second go through the C ABI, from one thread that submits, polls and releases.
//!
//! ```console
//! $ cargo run --release -p turbohttp-ffi --example throughput -- http://127.0.0.1:8080/small 64 200000
//! ```

#![allow(
    unsafe_code,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: it calls the ABI as C does, asks the clock and prints"
)]

use std::time::Instant;

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{body::*, client::*, events::*, request::*};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let mut number = |what| -> u64 {
        let text = arguments.next().expect(what);
        text.parse().expect(what)
    };
    let (at_once, requests) = (number("how many at once"), number("how many in all"));
    // SAFETY: zero is a value of each of its members.
    let mut config: ThClientConfig = unsafe { std::mem::zeroed() };
    config.struct_size = size_of::<ThClientConfig>() as u32;
    let mut client = 0;
    // SAFETY: both live.
    assert_eq!(unsafe { th_client_create(&config, 0, &mut client) }, TH_OK);
    // SAFETY: zero is a value of each of its members.
    let mut request: ThRequest = unsafe { std::mem::zeroed() };
    request.struct_size = size_of::<ThRequest>() as u32;
    request.url = ThText {
        ptr: url.as_ptr(),
        len: url.len() as u32,
        reserved: 0,
    };
    let submit = || {
        let mut id = 0;
        // SAFETY: both live, as does the URL.
        let code = unsafe { th_submit(client, &request, 0, &mut id) };
        assert_eq!(code, TH_OK);
    };
    for round in 0..2 {
        let began = Instant::now();
        let mut submitted = at_once.min(requests);
        (0..submitted).for_each(|_| submit());
        let mut done = 0;
        while done < requests {
            let mut events = [ThEvent::default(); 256];
            // SAFETY: 256 events can be written.
            let count = unsafe { th_poll(client, events.as_mut_ptr(), 256, 50) };
            for event in &events[..count as usize] {
                if event.kind != TH_EVENT_DONE {
                    continue;
                }
                assert_eq!((event.code, event.status), (TH_OK, 200));
                let (mut body, mut got) = ([0; 64], 0);
                // SAFETY: 64 bytes can be written.
                unsafe { th_body_read(client, event.request, body.as_mut_ptr(), 64, 0, &mut got) };
                th_release(client, event.request);
                done += 1;
                if submitted < requests {
                    submitted += 1;
                    submit();
                }
            }
        }
        let rate = requests as f64 / began.elapsed().as_secs_f64();
        if round == 1 {
            println!("{rate:.0} requests per second");
        }
    }
    th_client_destroy(client, 1_000);
}
