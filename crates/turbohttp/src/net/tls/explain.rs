//! What a failed handshake means, and what can be done about it.

use std::io;

use rustls::CertificateError::{
    self, BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
    NotValidYet, NotValidYetContext, Other, Revoked, UnknownIssuer,
};
use rustls::{AlertDescription, InvalidMessage, PeerMisbehaved};

use super::verify::OtherKey;
use crate::error::{Error, ErrorKind};
use crate::net::versions::HttpVersions;

/// The error of a handshake with `host`. `accepts_any`: certificates are not checked.
#[cold]
pub(super) fn handshake_error(
    host: &str,
    accepts_any: bool,
    offered: HttpVersions,
    error: io::Error,
) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    let message = match tls {
        Some(rustls::Error::InvalidCertificate(BadSignature)) if accepts_any => format!(
            "signature of {host} in the handshake does not hold: its key is too weak (RSA below 2048 \
             bits), which no option accepts, or it is not the certificate's; it needs a new certificate"
        ),
        Some(rustls::Error::InvalidCertificate(reason)) => {
            format!(
                "certificate of {host} was refused: {}",
                refusal(host, reason)
            )
        }
        Some(error) => failure(host, offered, error),
        None => cut(host, &error),
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}

/// Why a certificate is refused.
fn refusal(host: &str, reason: &CertificateError) -> String {
    let text = match reason {
        Expired | ExpiredContext { .. } => {
            "it has expired: the server needs a new one (or the clock here is wrong)"
        }
        NotValidYet | NotValidYetContext { .. } => {
            "it is not valid yet: the clock here or at its issuer is wrong"
        }
        Revoked => "it was revoked: the server needs a new one",
        BadSignature => "its signature is not that of the issuer it names",
        UnknownIssuer => {
            "its issuer is not trusted: add the issuer's root (--cacert), or have the server send its \
             intermediate certificates"
        }
        NotValidForName => "it is for another name",
        NotValidForNameContext { presented, .. } => return other_name(host, presented),
        Other(error) if error.0.is::<OtherKey>() => return error.0.to_string(),
        Other(error) if error.to_string().contains("CaUsedAsEndEntity") => {
            "it is the certificate of a CA (self-signed) used as a server's: sign one for the server with \
             it, or accept any certificate in tests (-k)"
        }
        Other(error) if error.to_string().contains("UnsupportedCertVersion") => {
            "it is no X.509 version 3 certificate: the server needs a new one"
        }
        CertificateError::BadEncoding => "it is malformed",
        _ => "it does not hold",
    };
    text.to_owned()
}

fn other_name(host: &str, presented: &[String]) -> String {
    const SHOWN_NAMES_MAX: usize = 4;
    if presented.is_empty() {
        return format!("it is for another name than {host}: it has no subject alternative name");
    }
    let shown = presented.iter().take(SHOWN_NAMES_MAX);
    let shown: Vec<&str> = shown.map(String::as_str).collect();
    let more = match presented.len().saturating_sub(SHOWN_NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "it is for another name than {host}: {}{more}",
        shown.join(", ")
    )
}

/// Why a handshake fails that is not about the certificate.
fn failure(host: &str, offered: HttpVersions, error: &rustls::Error) -> String {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateRequired, HandshakeFailure, InternalError,
        NoApplicationProtocol, ProtocolVersion, UnknownCA, UnrecognisedName,
    };
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{host} does not speak TLS on this port: is it http, and not https?")
        }
        rustls::Error::AlertReceived(NoApplicationProtocol) => {
            format!("{host} speaks none of the protocols offered by ALPN: {offered}")
        }
        rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            format!("{host} chose a protocol by ALPN that was not offered: {offered} was")
        }
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(ProtocolVersion | HandshakeFailure) => format!(
            "{host} shares no TLS version (1.2 or 1.3) or cipher suite with this client, or wants a \
             client certificate"
        ),
        rustls::Error::AlertReceived(
            CertificateRequired | BadCertificate | AccessDenied | UnknownCA,
        ) => format!("{host} does not accept the client certificate, or wants one (--cert)"),
        rustls::Error::AlertReceived(UnrecognisedName | InternalError) => {
            format!("{host} does not serve this name by TLS")
        }
        _ => format!("TLS handshake with {host} failed"),
    }
}

/// The connection failed in the handshake.
fn cut(host: &str, error: &io::Error) -> String {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | ConnectionReset | ConnectionAborted => format!(
            "{host} closed the connection in the TLS handshake: it may not serve this name, or speak no \
             TLS on this port"
        ),
        _ => format!("TLS handshake with {host} failed"),
    }
}
