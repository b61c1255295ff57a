//! Reads run beside the writer, on a connection of their own: a long list blocks no call.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::file::OutboxFile;
use crate::outbox::{StoreError, row::unavailable};

/// A read-only connection. Each query sees everything committed before it began.
#[derive(Debug)]
pub(super) struct Reader(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    /// `None` once closed.
    file: Option<Arc<OutboxFile>>,
    /// Opened by the first query, and again after one has failed.
    connection: Option<Connection>,
}

impl Reader {
    pub(super) fn new(file: Arc<OutboxFile>) -> Self {
        Self(Arc::new(Mutex::new(Source { file: Some(file), connection: None })))
    }

    /// Runs a query on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let source = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            source.lock().unwrap_or_else(PoisonError::into_inner).query(query)
        })
        .await
        .map_err(unavailable)?
    }

    pub(super) fn close(&self) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *source = Source { file: None, connection: None };
    }
}

impl Source {
    fn query<T>(
        &mut self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let file = self.file.as_ref().ok_or_else(|| unavailable("the outbox is closed"))?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => file.connect_to_read().map_err(unavailable)?,
        };
        let result = query(&connection).map_err(unavailable)?;
        self.connection = Some(connection);
        Ok(result)
    }
}
