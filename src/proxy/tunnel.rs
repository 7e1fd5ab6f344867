//! Bytes carried both ways unread, and counted.

use super::audit::Entry;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::io::{InspectReader, InspectWriter};
use tokio_util::sync::CancellationToken;

/// Carries what travels inside a CONNECT, to an upstream that is dialled already.
pub(super) async fn tunnel(
    upgraded: OnUpgrade,
    upstream: TcpStream,
    mut entry: Entry,
    stop: CancellationToken,
) {
    entry.line.reason = match upgraded.await {
        Ok(upgraded) => {
            entry.line.status = 200;
            tokio::select! {
                carried = carry(TokioIo::new(upgraded), upstream, &entry) => carried.err(),
                () = stop.cancelled() => Some("the session is served no longer".to_owned()),
            }
        }
        Err(error) => Some(error.to_string()),
    };
}

/// Carries until both ends have ended; each ends by itself.
pub(super) async fn carry(
    inside: impl AsyncRead + AsyncWrite + Unpin,
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
    entry: &Entry,
) -> Result<(), String> {
    let (bytes_in, bytes_out) = (entry.bytes_in.clone(), entry.bytes_out.clone());
    let written = InspectWriter::new(inside, move |bytes| bytes_out.add(bytes));
    let mut inside = InspectReader::new(written, move |bytes| bytes_in.add(bytes));
    copy_bidirectional(&mut inside, &mut outside).await.map(drop).map_err(|error| error.to_string())
}
