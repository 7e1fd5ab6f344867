//! A request with a credential that was lent: where its destination answers 401, the credential is read anew, and the
//! request is sent once more where its body is still known. The answer is asked for uncompressed, and what it shows of the
//! credential is taken out.

use super::audit::Entry;
use super::body::{self, Body, refuse};
use super::exchange::Sending;
use super::headers;
use super::judge::{Lend, Lent};
use super::kept::keep;
use super::mask::Mask;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use std::sync::Arc;

/// Sends a request whose headers hold the credential.
pub(super) async fn send(
    request: Request<Incoming>,
    (lender, lent): (Arc<dyn Lend>, Lent),
    sending: &Sending,
    mut entry: Entry,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    headers::ask_readable(&mut parts.headers);
    let again = parts.clone();
    let mask = Mask::of(&lent);
    let (body, copy) = keep(sending.body(body, &entry), &sending.exchange.terms.share);
    let first = match sending.ask(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(refusal) => return refuse(&mut entry, refusal),
    };
    if first.status() != StatusCode::UNAUTHORIZED {
        return mask.answer(sending.back(first, entry));
    }
    // The credential is read anew in any case: the next request has the new one.
    let Some(fresh) = lender.again(lent).await else { return mask.answer(sending.back(first, entry)) };
    let Some(bytes) = copy.take() else { return mask.answer(sending.back(first, entry)) };
    let (mut parts, mask) = (again, Mask::of(&fresh));
    for (name, value) in fresh.headers {
        parts.headers.insert(name, value);
    }
    match sending.ask(Request::from_parts(parts, body::whole(bytes))).await {
        Ok(second) => mask.answer(sending.back(second, entry)),
        Err(refusal) => refuse(&mut entry, refusal),
    }
}
