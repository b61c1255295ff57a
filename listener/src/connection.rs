//! One connection: served until it ends, breaks a bound, or the door closes.

use std::{pin::pin, sync::Arc, time::Duration};

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use crate::{Guards, Peer, door::Protocols};

/// What every part of the HTTP machinery reports trouble as.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How HTTP is spoken, within bounds. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http(Arc<auto::Builder<TokioExecutor>>);

impl Http {
    pub(crate) fn new(protocols: Protocols, guards: &Guards) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // Of the next request, its wait included: `Guards::first_head` bounds the first.
            .header_read_timeout(guards.idle)
            .max_buf_size(guards.head_bytes as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(guards.streams)
            .max_header_list_size(guards.head_bytes)
            .keep_alive_interval(guards.keepalive_every)
            .keep_alive_timeout(guards.keepalive_within);
        let builder = match protocols {
            Protocols::Http1And2 => builder,
            Protocols::Http2 => builder.http2_only(),
        };
        Self(Arc::new(builder))
    }
}

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) first_head: Duration,
    pub(crate) idle: Duration,
    pub(crate) farewell: Duration,
}

impl Patience {
    pub(crate) fn of(guards: &Guards) -> Self {
        let Guards { first_head, idle, farewell, .. } = *guards;
        Self { first_head, idle, farewell }
    }

    /// For those whom we trust to come back.
    pub(crate) fn endless(guards: &Guards) -> Self {
        let far = Duration::from_hours(24 * 365);
        Self { first_head: far, idle: far, farewell: guards.farewell }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// After its requests, or by the client's will.
    Served,
    /// No request came in time.
    Silent,
}

/// Serves a connection; when it returns or is dropped, the connection is closed.
///
/// HTTP/2 clients are told before we hang up on them for being idle, and a request that crosses
/// that word is still answered.
pub(crate) async fn attend<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    http: Http,
    patience: Patience,
    service: S,
    closing: CancellationToken,
) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>, Data: Send> + Send + 'static,
{
    let (calls, mut under_way) = watch::channel(0_usize);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let call = Call::begin(&calls);
        let answer = service.clone().oneshot(request);
        async move {
            let answer = answer.await?;
            // Only so that the body takes the call with it to its end.
            let hold = move |_frame: &_| {
                let _under_way = &call;
            };
            Ok::<_, S::Error>(answer.map(|body| body.inspect_frame(hold)))
        }
    });
    let mut connection = pin!(http.0.serve_connection(TokioIo::new(stream), service));
    let mut quiet = pin!(sleep(patience.first_head));
    let (mut has_called, mut is_leaving) = (false, false);
    loop {
        tokio::select! {
            // How it ended is the client's business: it is told by HTTP itself.
            _ended = connection.as_mut() => return Ended::Served,
            Ok(()) = under_way.changed() => {
                has_called = true;
                let patience = if is_leaving { patience.farewell } else { patience.idle };
                quiet.as_mut().reset(Instant::now() + patience);
            }
            () = closing.cancelled(), if !is_leaving => {
                is_leaving = true;
                connection.as_mut().graceful_shutdown();
                quiet.as_mut().reset(Instant::now() + patience.farewell);
            }
            () = quiet.as_mut(), if *under_way.borrow() == 0 => {
                match (has_called, is_leaving) {
                    (false, false) => return Ended::Silent,
                    (_, true) => return Ended::Served,
                    (true, false) => {}
                }
                is_leaving = true;
                connection.as_mut().graceful_shutdown();
                quiet.as_mut().reset(Instant::now() + patience.farewell);
            }
        }
    }
}

/// A call that is not answered to the end; over when dropped.
struct Call(watch::Sender<usize>);

impl Call {
    fn begin(calls: &watch::Sender<usize>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(calls.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}
