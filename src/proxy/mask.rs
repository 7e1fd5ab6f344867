//! An answer without the value that its request was lent: a destination that shows what it was sent shows it to nobody
//! inside. Bytes are searched as they pass; what may be the begin of a value is held until it is known.

use super::body::{Body, Fault};
use super::judge::Lent;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body as _, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zeroize::Zeroizing;

/// Stands where a byte of a value stood, so that lengths stay.
const MASK: u8 = b'*';
/// A shorter value is no secret, and stands in any text.
const SHORTEST: usize = 8;

/// What is taken out.
pub(super) struct Mask(Vec<Zeroizing<Vec<u8>>>);

impl Mask {
    /// A value, and the form in which it was sent: of `Basic`, the pair's; and both as JSON and URLs write them.
    pub fn of(lent: &Lent) -> Self {
        let sent = lent.headers.iter().filter_map(|(_, value)| {
            value.as_bytes().rsplit(|byte| *byte == b' ').next().map(<[u8]>::to_vec)
        });
        // Some leave base64's padding away.
        let sent = sent.map(|sent| sent.trim_ascii_end().to_vec()).map(unpadded);
        let plain = sent.chain([lent.value.expose().as_bytes().to_vec()]);
        let mut values: Vec<Vec<u8>> =
            plain.flat_map(|value| [slashed(&value), escaped(&value), value]).collect();
        values.retain(|value| value.len() >= SHORTEST);
        values.sort();
        values.dedup();
        Self(values.into_iter().map(Zeroizing::new).collect())
    }

    /// The answer without them.
    pub fn answer(self, response: Response<Body>) -> Response<Body> {
        if self.0.is_empty() {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        self.headers(&mut parts.headers);
        let ended = body.is_end_stream();
        Response::from_parts(
            parts,
            Masked { body, mask: self, held: BytesMut::new(), last: None, ended }.boxed(),
        )
    }

    fn headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(masked) = self.masked(value.as_bytes()) {
                // Only bytes that a header may hold are put in.
                *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }

    /// The bytes without any value, where there is one.
    fn masked(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut masked: Option<Vec<u8>> = None;
        for value in self.0.iter().filter(|value| value.len() <= bytes.len()) {
            let found: Vec<usize> = Finder::new(value.as_slice()).find_iter(bytes).collect();
            for at in found {
                masked.get_or_insert_with(|| bytes.to_vec())[at..at + value.len()].fill(MASK);
            }
        }
        masked
    }

    /// How many bytes at the end may be the begin of a value.
    fn open(&self, bytes: &[u8]) -> usize {
        let of = |value: &Zeroizing<Vec<u8>>| {
            let start = bytes.len().saturating_sub(value.len() - 1);
            let tail = &bytes[start..];
            memchr::memchr_iter(value[0], tail)
                .find(|at| value.starts_with(&tail[*at..]))
                .map(|at| tail.len() - at)
        };
        self.0.iter().filter_map(of).max().unwrap_or(0)
    }
}

fn unpadded(mut value: Vec<u8>) -> Vec<u8> {
    value.truncate(value.len() - value.iter().rev().take_while(|byte| **byte == b'=').count());
    value
}

/// As some write it in JSON.
fn slashed(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .flat_map(|byte| if *byte == b'/' { &b"\\/"[..] } else { std::slice::from_ref(byte) })
        .copied()
        .collect()
}

/// As it stands in a URL.
fn escaped(value: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .iter()
        .flat_map(|byte| if plain(*byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() })
        .collect()
}

/// A body that is searched as it passes.
struct Masked {
    body: Body,
    mask: Mask,
    /// What may be the begin of a value.
    held: BytesMut,
    /// Trailers, which follow what was held.
    last: Option<Frame<Bytes>>,
    ended: bool,
}

impl Masked {
    /// What of a chunk can pass; at the end of a body, all.
    fn pass(&mut self, chunk: Bytes, end: bool) -> Bytes {
        let all = if self.held.is_empty() {
            chunk
        } else {
            let mut all = std::mem::take(&mut self.held);
            all.put(chunk);
            all.freeze()
        };
        let all = self.mask.masked(&all).map_or(all, Bytes::from);
        let open = if end { 0 } else { self.mask.open(&all) };
        self.held.extend_from_slice(&all[all.len() - open..]);
        all.slice(..all.len() - open)
    }
}

impl hyper::body::Body for Masked {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(this.last.take().map(Ok));
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.ended = true;
                    let rest = this.pass(Bytes::new(), true);
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
            };
            match frame.into_data() {
                Ok(chunk) => {
                    this.ended = this.body.is_end_stream();
                    let passed = this.pass(chunk, this.ended);
                    if !passed.is_empty() || this.ended {
                        return Poll::Ready(Some(Ok(Frame::data(passed))));
                    }
                }
                Err(frame) => {
                    let mut trailers = frame.into_trailers().unwrap_or_default();
                    this.mask.headers(&mut trailers);
                    this.ended = true;
                    this.last = Some(Frame::trailers(trailers));
                    let rest = this.pass(Bytes::new(), true);
                    if !rest.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(rest))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.last.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, held) = (self.body.size_hint(), self.held.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(held));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::header::AUTHORIZATION;
    use proptest::prelude::*;

    const VALUE: &str = "ababac-canary";

    fn mask(value: &str, header: &str) -> Mask {
        let headers = vec![(AUTHORIZATION, HeaderValue::from_str(header).unwrap())];
        Mask::of(&Lent { headers, value: Secret::new(value.to_owned()) })
    }

    /// What comes of a body in these pieces.
    fn through(pieces: Vec<Vec<u8>>) -> Vec<u8> {
        let frames = pieces.into_iter().map(|piece| Ok::<_, Fault>(Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(stream::iter(frames)).boxed();
        let answer = mask(VALUE, &format!("Bearer {VALUE}")).answer(Response::new(body));
        let whole = futures_util::FutureExt::now_or_never(answer.into_body().collect()).unwrap().unwrap();
        whole.to_bytes().to_vec()
    }

    #[test]
    fn each_form_in_which_a_value_was_sent_is_taken_out_of_heads() {
        let mask = mask("the-value", "Basic dTp0aGUtdmFsdWU=");
        let mut headers = HeaderMap::new();
        for text in ["x the-value y", "Basic dTp0aGUtdmFsdWU=", "nothing"] {
            headers.append("x-echo", HeaderValue::from_static(text));
        }
        mask.headers(&mut headers);
        let got: Vec<_> = headers.get_all("x-echo").iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(got, ["x ********* y", "Basic ***************=", "nothing"]);
        assert!(Mask::of(&Lent { headers: Vec::new(), value: Secret::new("short".to_owned()) }).0.is_empty());
    }

    #[test]
    fn what_cannot_be_a_value_waits_for_nothing() {
        let first = stream::iter([Ok::<_, Fault>(Frame::data(Bytes::from_static(b"data: 1\n\n")))]);
        let body = StreamBody::new(futures_util::StreamExt::chain(first, stream::pending())).boxed();
        let mut body = mask(VALUE, VALUE).answer(Response::new(body)).into_body();
        let frame = futures_util::FutureExt::now_or_never(body.frame()).expect("it is held back");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    }

    proptest! {
        #[test]
        fn a_value_is_found_wherever_it_is_cut(
            texts in prop::collection::vec("(ab|ababac-|ababac-canary|-canary|x){0,6}", 1..4),
            cuts in prop::collection::vec(0_usize..60, 0..12),
        ) {
            let whole = texts.concat().into_bytes();
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            at.extend([0, whole.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|ends| whole[ends[0]..ends[1]].to_vec()).collect();
            let expected = String::from_utf8(whole).unwrap().replace(VALUE, &"*".repeat(VALUE.len()));
            prop_assert_eq!(String::from_utf8(through(pieces)).unwrap(), expected);
        }
    }
}
