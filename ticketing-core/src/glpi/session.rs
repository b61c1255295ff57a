//! One warm session for all calls, opened by one of them at a time.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

/// Holds the current session token. GLPI's tokens are opaque, of any length, and of unknown life.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Arc<OnceCell<SecretString>>>);

impl Sessions {
    /// The current token, else the one that `open` gets. While it is being opened others wait for
    /// the same opening; if it fails or is cancelled, the next of them opens.
    pub(super) async fn current<E, F>(&self, open: impl FnOnce() -> F) -> Result<SecretString, E>
    where
        F: Future<Output = Result<SecretString, E>>,
    {
        let cell = Arc::clone(&self.lock());
        cell.get_or_try_init(open).await.cloned()
    }

    /// Gives a token up, unless it has been replaced already: of many calls that learn at once that
    /// the session is gone, the first makes room for a new one and the others use that.
    pub(super) fn forget(&self, token: &SecretString) {
        let mut cell = self.lock();
        let is_current =
            cell.get().is_some_and(|current| current.expose_secret() == token.expose_secret());
        if is_current {
            *cell = Arc::default();
        }
    }

    /// Gives the current token up and returns it.
    pub(super) fn take(&self) -> Option<SecretString> {
        std::mem::take(&mut *self.lock()).get().cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Arc<OnceCell<SecretString>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
