//! How many connections the system allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files, other listeners, the way to GLPI and to the store.
const FOR_OTHERS: u64 = 256;

/// Takes as many descriptors as the process may have, and says so if they don't suffice for that
/// many connections. Many systems begin with 1024, for programs that are not ours.
pub(crate) fn make_room(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let needed = connections as u64 + FOR_OTHERS;
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "the system allows fewer descriptors than AUTOMATGLPI_MAX_CONNECTIONS may need: raise LimitNOFILE"
        );
    }
}
