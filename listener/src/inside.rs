//! Connections within the process.

use std::io;

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

/// Bytes under way in each direction before the writer must wait.
const UNDER_WAY_BYTES: usize = 256 * 1024;

/// Connections that wait to be taken; each is taken within moments.
const WAITING: usize = 16;

/// Leads to a door's services from within its process: no socket, no port, no certificate. Cheap to
/// clone.
///
/// Whoever comes this way is served as everybody is, and must say who it is; it only has a place
/// for certain, and is never hung up on for being idle.
#[derive(Debug, Clone)]
pub struct Inside(mpsc::Sender<DuplexStream>);

impl Inside {
    pub(crate) fn new() -> (Self, mpsc::Receiver<DuplexStream>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// A connection to the services. Fails once the door is closed.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = duplex(UNDER_WAY_BYTES);
        let closed = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the server has stopped");
        self.0.send(theirs).await.map_err(closed)?;
        Ok(ours)
    }
}
