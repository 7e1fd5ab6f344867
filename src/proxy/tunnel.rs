//! Bytes carried both ways unread, and counted.

use super::audit::Entry;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::io::{InspectReader, InspectWriter};
use tokio_util::sync::CancellationToken;

/// How long an end may take to be told to the other side.
const FAREWELL: Duration = Duration::from_secs(2);

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
    match copy_bidirectional(&mut inside, &mut outside).await {
        Ok(_) => Ok(()),
        // Many servers end TLS without saying so. The other end is told in the orderly way.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            let _ = tokio::time::timeout(FAREWELL, inside.shutdown()).await;
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}
