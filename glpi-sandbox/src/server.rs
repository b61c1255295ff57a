//! Connections: an accept loop of our own, because trouble must be able to
//! cut one with a TCP reset while a request is being served on it.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api;
use crate::faults::Kind;
use crate::sandbox::Premises;

/// How long a connection may stay silent before it counts as one to the API.
const FIRST_BYTES_WITHIN: Duration = Duration::from_millis(100);

/// Accepts until `stop`; then the listener closes and all connections with it.
pub(crate) async fn accept(
    listener: TcpListener,
    premises: Arc<Premises>,
    stop: CancellationToken,
) {
    let router = api::router(Arc::clone(&premises));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // Out of file descriptors, most likely: let some be closed.
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = serve(stream, router.clone(), Arc::clone(&premises));
        let stop = stop.clone();
        premises.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

/// Serves one connection until it ends or is cut.
async fn serve(stream: TcpStream, router: axum::Router, premises: Arc<Premises>) {
    // Without it a small answer may wait 40 ms for the client's acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let line = Line::default();
    let may_be_refused = premises.faults.include(&Kind::Refuse);
    if may_be_refused && is_for_the_api(&stream).await && premises.faults.refuse_connection() {
        line.mark_for_reset();
        drop(Wire { stream, line });
        return;
    }
    let wire = Wire { stream, line: line.clone() };
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(line.clone());
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(wire), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Dropping the connection drops the wire, which then resets.
        () = line.cut.cancelled() => {}
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the sandbox ended early");
            }
        }
    }
}

/// Whether a refusal may hit this connection: the sandbox's own pages stay
/// reachable, so that the trouble can be ended. Nothing is consumed.
async fn is_for_the_api(stream: &TcpStream) -> bool {
    let mut start = [0; 32];
    let peeked = tokio::time::timeout(FIRST_BYTES_WITHIN, stream.peek(&mut start)).await;
    let Ok(Ok(length)) = peeked else { return true };
    let start = String::from_utf8_lossy(start.get(..length).unwrap_or_default()).into_owned();
    let target = start.split(' ').nth(1).unwrap_or_default();
    !(target == "/" || target.starts_with("/sandbox"))
}

/// A handle on the connection that a request came on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    cut: CancellationToken,
    reset: Arc<AtomicBool>,
}

impl Line {
    /// Cuts the connection with a TCP reset. Does not return: the request's
    /// own task is dropped with the connection.
    pub(crate) async fn cut(&self) -> Infallible {
        self.mark_for_reset();
        self.cut.cancel();
        std::future::pending().await
    }

    fn mark_for_reset(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

/// A TCP stream that resets instead of closing, if its line was cut.
struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.reset.load(Ordering::Acquire)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::warn!(%error, "a connection ends in order although it was to be reset");
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
