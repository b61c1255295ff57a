//! One call of the server: its trace, its line in the log.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use meters::calls::{Outcome, Surface};
use service_kit::line::Line;
use tower::{Layer, Service};
use tracing::Instrument as _;

/// Follows calls; outermost, so that those refused at the door have a line too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follow;

/// A service whose calls are followed.
#[derive(Clone, Debug)]
pub(crate) struct Followed<S>(S);

impl<S> Layer<S> for Follow {
    type Service = Followed<S>;

    fn layer(&self, inner: S) -> Followed<S> {
        Followed(inner)
    }
}

impl<S, In, Out> Service<Request<In>> for Followed<S>
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        let Some((surface, method)) = place(request.uri().path()) else {
            return Box::pin(self.0.call(request));
        };
        let line = Line::begin(surface, method, request.headers(), &request_id(&request));
        request.extensions_mut().insert(line.notes());
        let answering = self.0.call(request).instrument(line.span());
        Box::pin(async move {
            let answered = answering.await;
            match &answered {
                Ok(response) => {
                    let code = code(response);
                    line.end(format_args!("{code:?}"), Outcome::of_grpc(code.into()));
                }
                Err(_) => line.end("failed", Outcome::Failed),
            }
            answered
        })
    }
}

/// Where a path leads and what it is called; `None` for health, which is asked all the time.
fn place(path: &str) -> Option<(Surface, String)> {
    let (service, method) = path.trim_start_matches('/').split_once('/')?;
    let surface = match service {
        "grpc.health.v1.Health" => return None,
        "ticketing.v1.TicketingService" => Surface::Grpc,
        "ticketing.v1.OperationsService" => Surface::Operations,
        _ => Surface::Other,
    };
    // Strangers may ask for anything.
    let is_sane = method.len() <= 64 && method.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = if is_sane && surface != Surface::Other { method } else { "other" };
    Some((surface, name.to_owned()))
}

/// The id that follows one call through the logs of gateway and server; empty if none was sent, or
/// one that is not fit for a line.
fn request_id<T>(request: &Request<T>) -> String {
    let id = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    let is_sane = |id: &&str| {
        id.len() <= 128
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    id.filter(is_sane).unwrap_or_default().to_owned()
}

/// Errors come with the head; a code that follows in the trailers is OK, or a stream's own end.
fn code<T>(response: &Response<T>) -> tonic::Code {
    let code = response.headers().get("grpc-status");
    code.map_or(tonic::Code::Ok, |code| tonic::Code::from_bytes(code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_serve_is_named() {
        let named = |path| place(path).map(|(surface, name)| (surface.as_str(), name));
        assert_eq!(named("/grpc.health.v1.Health/Check"), None);
        for (path, surface, name) in [
            ("/ticketing.v1.TicketingService/CreateTicket", "grpc", "CreateTicket"),
            ("/ticketing.v1.OperationsService/GetStats", "operations", "GetStats"),
            ("/ticketing.v1.TicketingService/Marie%20Dupont", "grpc", "other"),
            ("/marie.dupont/Phone", "other", "other"),
        ] {
            assert_eq!(named(path), Some((surface, name.to_owned())), "{path}");
        }
    }
}
