use super::*;

/// Bytes that a sum carries out of or into, beside every byte: a quick test may stop too early, and
/// never too late.
#[test]
fn quick_tests_never_pass_over_the_end_of_a_run() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let text = [b'x', first, second, b'x', b'x', b'x', first, second];
            assert!(quick_run(&text, controls) <= run(&text, 0, is_text));
            assert!(quick_run(&text, no_letters) <= run(&text, 0, is_token));
        }
    }
}

#[test]
fn quick_tests_pass_over_what_is_common() {
    assert_eq!(quick_run(b"Content-Security-Policy:", no_letters), 23);
    let value = b"text/html; charset=\"utf-8\" (~!@#$%^&*)\r\n";
    assert_eq!(quick_run(value, controls), value.len() - 2);
}
