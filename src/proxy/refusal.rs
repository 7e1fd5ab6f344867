//! What a container reads when a destination was not reached: which rule, and what to change.

use super::connect;
use super::judge::Refusal;
use hyper::StatusCode;
use std::error::Error;

/// The words for a destination that was not dialled.
pub(super) fn undialled(host: &str, error: &connect::Error) -> Refusal {
    let reason = chain(error);
    match error {
        connect::Error::Refused { .. } => Refusal::plain(
            StatusCode::FORBIDDEN,
            reason,
            format!(
                "clauderon: {error}, and a session reaches such an address only where its manifest names it.\n\
                 To permit it, add to clauderon.yaml and run `clauderon up`:\n\n\
                 proxy:\n  hosts:\n    \"{host}\": {{address: \"HOST:PORT\"}}\n"
            ),
        ),
        connect::Error::Tls { .. } => {
            let words = format!(
                "clauderon: {reason}.\nWhere its certificate is signed by an authority of your own, name that in \
                 clauderon.yaml and run `clauderon up`:\n\n\
                 proxy:\n  hosts:\n    \"{host}\": {{ca: PATH.pem}}\n"
            );
            Refusal::plain(StatusCode::BAD_GATEWAY, reason, words)
        }
        _ => Refusal::plain(StatusCode::BAD_GATEWAY, reason.clone(), format!("clauderon: {reason}\n")),
    }
}

/// The words for a request that the pool could not send: mostly since nothing was dialled.
pub(super) fn unreached(host: &str, error: &(dyn Error + 'static)) -> Refusal {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<connect::Error>() {
            return undialled(host, error);
        }
        cause = error.source();
    }
    unanswered(host, &format!("broke off: {}", chain(error)))
}

/// The words for a destination that answered nothing of use.
pub(super) fn unanswered(host: &str, what: &str) -> Refusal {
    Refusal::plain(StatusCode::BAD_GATEWAY, what, format!("clauderon: `{host}` {what}\n"))
}

fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
