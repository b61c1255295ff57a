//! Whether the gateway is ready, for the admin port.

use listener::admin::Readiness;
use tokio_util::sync::CancellationToken;

use crate::upstream::Upstream;

/// Ready while a ticket could be recorded: the server says so.
pub(crate) async fn ready(upstream: Upstream, stopping: CancellationToken) -> Readiness {
    if stopping.is_cancelled() {
        Err("stopping")
    } else if upstream.is_serving().await {
        Ok(())
    } else {
        Err("the gRPC server does not serve")
    }
}
