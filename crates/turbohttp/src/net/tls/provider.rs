//! The cryptography under TLS.

use rustls::crypto::CryptoProvider;

/// The provider of every configuration that this crate makes.
///
/// Features add up across a program, so that both can be on: then the one that was asked for beside the default
/// is used.
pub(super) fn provider() -> CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    rustls::crypto::ring::default_provider()
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_first_key_exchange_is_that_of_the_feature() {
        let groups = provider().kx_groups;
        let expected = match cfg!(feature = "aws-lc-rs") {
            true => NamedGroup::X25519MLKEM768,
            false => NamedGroup::X25519,
        };
        assert_eq!(groups.first().map(|group| group.name()), Some(expected));
    }
}
