//! Lets in whoever may make a call, before anything of it is read.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use access::{Caller, Credentials, Gate, Name, Pass, Refusal, Role};
use listener::{CertificateNames, Peer};
use meters::{calls::Surface, doors};
use service_kit::line::Notes;
use ticketing_core::clock::{Clock, SystemClock};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::status;

/// The metadata key in which a relay names the client it calls for.
const ON_BEHALF_OF: &str = "x-automatglpi-client";

/// Checks every call of the server.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) gate: Gate,
    /// Whether strangers may ask for health: orchestrators have no token.
    pub(crate) open_health: bool,
}

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    AnyClient,
    Role(Role),
}

impl Guard {
    fn needs(&self, path: &str) -> Needs {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        match (service, method) {
            ("grpc.health.v1.Health", _) if self.open_health => Needs::Nothing,
            ("ticketing.v1.OperationsService", _) => Needs::Role(Role::Operate),
            ("ticketing.v1.TicketingService", "CreateTicket" | "AddFollowup") => {
                Needs::Role(Role::Create)
            }
            ("ticketing.v1.TicketingService", _) => Needs::Role(Role::Read),
            _ => Needs::AnyClient,
        }
    }

    /// Lets a call in and notes on it who makes it.
    fn check(&self, request: &mut http::Request<Body>) -> Result<Option<Pass>, Refusal> {
        let needs = self.needs(request.uri().path());
        let forwarded_for = request.headers().get_all("x-forwarded-for").into_iter();
        let forwarded_for = forwarded_for.filter_map(|value| value.to_str().ok());
        let origin = self.gate.origin(peer(request), forwarded_for)?;
        let header = |name| request.headers().get(name).map(http::HeaderValue::as_bytes);
        let credentials = Credentials {
            authorization: header("authorization"),
            path: None,
            is_forwarded: access::says_forwarded(|name| request.headers().contains_key(name)),
            certificate: certificate(request),
        };
        let identified = self.gate.identify(&credentials, origin, SystemClock.now());
        // A relay brings the calls of many; it has counted their addresses.
        if !identified.as_ref().is_ok_and(|caller| caller.client().may(Role::Relay)) {
            self.gate.count(origin)?;
        }
        if needs == Needs::Nothing {
            return Ok(None);
        }
        let caller = identified?;
        let on_behalf = header(ON_BEHALF_OF).and_then(|name| std::str::from_utf8(name).ok());
        let caller = match on_behalf.and_then(Name::parse) {
            Some(name) => self.gate.relayed(caller, name)?,
            None => caller,
        };
        let pass = match needs {
            Needs::Role(role) => self.gate.admit(&caller, role)?,
            Needs::AnyClient | Needs::Nothing => self.gate.seat(&caller)?,
        };
        if let Some(notes) = request.extensions().get::<Notes>() {
            notes.client(caller.name().as_str());
        }
        request.extensions_mut().insert(Arc::new(caller));
        Ok(Some(pass))
    }
}

fn count(refusal: &Refusal) {
    match refusal {
        Refusal::Source { .. } => doors::rate_limited(Surface::Grpc, doors::Scope::Source),
        Refusal::Rate { .. } => doors::rate_limited(Surface::Grpc, doors::Scope::Client),
        Refusal::Full { .. } => doors::shed(Surface::Grpc),
        Refusal::Address | Refusal::Credential | Refusal::Proxy | Refusal::Role(_) => {}
    }
}

/// Where the connection comes from.
fn peer(request: &http::Request<Body>) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip())
}

/// The names in the connection's certificate.
fn certificate(request: &http::Request<Body>) -> &[String] {
    let names = request.extensions().get::<Peer>().and_then(|peer| peer.certificate.as_deref());
    names.map_or(&[], CertificateNames::as_slice)
}

/// Who makes a call that was let in.
pub(crate) fn caller<T>(request: &tonic::Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().map(Arc::clone);
    // Only a server put together without its guard could leave it out.
    caller.ok_or_else(|| status::refused(&Refusal::Credential))
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind its guard.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match self.guard.check(&mut request) {
            Ok(pass) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(pass);
                    answer
                })
            }
            Err(refusal) => {
                count(&refusal);
                let response = status::refused(&refusal).into_http();
                Box::pin(async move { Ok(response) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use access::{Rules, Surface};

    use super::*;

    #[test]
    fn every_method_of_the_contract_needs_a_role() {
        let gate = Gate::new(Rules::open(Surface::Grpc));
        let guard = Guard { gate, open_health: false };
        for (path, needs) in [
            ("/ticketing.v1.TicketingService/CreateTicket", Needs::Role(Role::Create)),
            ("/ticketing.v1.TicketingService/AddFollowup", Needs::Role(Role::Create)),
            ("/ticketing.v1.TicketingService/GetTicket", Needs::Role(Role::Read)),
            ("/ticketing.v1.OperationsService/DiscardEntry", Needs::Role(Role::Operate)),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Needs::AnyClient),
            ("/grpc.health.v1.Health/Check", Needs::AnyClient),
            ("/", Needs::AnyClient),
            ("", Needs::AnyClient),
        ] {
            assert_eq!(guard.needs(path), needs, "{path}");
        }
        let open = Guard { open_health: true, ..guard };
        assert_eq!(open.needs("/grpc.health.v1.Health/Watch"), Needs::Nothing);
    }
}
