use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::faults::{Fault, Faults};
use crate::ledger::{Ledger, Request};
use crate::message::Language;
use crate::server;
use crate::state::{Followup, World};
use crate::ticket::Ticket;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Default: `127.0.0.1:0`, a free port on loopback.
    pub listen: SocketAddr,
    /// The App-Token that is accepted. Default: `sandbox-app-token`.
    pub app_token: String,
    /// The `user_token` of user `glpi`, a Super-Admin. Default:
    /// `sandbox-user-token`. The other users log in with a password.
    pub user_token: String,
    /// GLPI's default language, which user `glpi` speaks too. Default: French.
    pub language: Language,
    /// The zone of GLPI's clock, in which it stamps and reads dates.
    /// Default: UTC.
    pub time_zone: TimeZone,
    /// How far GLPI's clock is ahead of the true one. Default: zero.
    pub clock_ahead: SignedDuration,
    /// Seeds what chance decides: session tokens and faults with a
    /// probability. Default: 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app_token: "sandbox-app-token".to_owned(),
            user_token: "sandbox-user-token".to_owned(),
            language: Language::French,
            time_zone: TimeZone::UTC,
            clock_ahead: SignedDuration::ZERO,
            seed: 0,
        }
    }
}

/// A running sandbox.
///
/// It serves on tasks of its own, on the runtime that started it, and stops
/// when dropped or by [`Sandbox::stop`]. From then on connections are refused.
pub struct Sandbox {
    premises: Arc<Premises>,
    address: SocketAddr,
    tasks: TaskTracker,
    stopping: DropGuard,
}

/// What all requests share.
pub(crate) struct Premises {
    pub(crate) options: Options,
    /// Where GLPI believes it is, such as `http://127.0.0.1:8088/apirest.php`.
    pub(crate) api_url: String,
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) ledger: Arc<Ledger>,
    /// Carries work that goes on although its client has left.
    pub(crate) tasks: TaskTracker,
}

impl Sandbox {
    /// Binds the address and begins to serve.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let premises = Arc::new(Premises {
            api_url: format!("http://{address}/apirest.php"),
            world: World::new(&options),
            faults: Faults::new(options.seed),
            ledger: Arc::default(),
            tasks: tasks.clone(),
            options,
        });
        tasks.spawn(server::accept(listener, Arc::clone(&premises), stop.clone()));
        tasks.close();
        Ok(Self { premises, address, tasks, stopping: stop.drop_guard() })
    }

    /// Closes the listener and every connection, and waits until all is quiet.
    ///
    /// A slow insert still under way is waited for, as PHP would finish it.
    pub async fn stop(self) {
        self.stopping.disarm().cancel();
        self.tasks.wait().await;
    }

    /// The base URL, such as `http://127.0.0.1:40123`; GLPI's API is at
    /// `/apirest.php` below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Every ticket that exists, the trash included, in order of creation.
    pub fn tickets(&self) -> Vec<Ticket> {
        self.premises.world.tickets()
    }

    /// Every follow-up, in order of creation.
    pub fn followups(&self) -> Vec<Followup> {
        self.premises.world.followups()
    }

    /// How many sessions are open now.
    pub fn sessions(&self) -> usize {
        self.premises.world.sessions.count()
    }

    /// How many sessions were ever opened.
    pub fn sessions_opened(&self) -> u64 {
        self.premises.world.sessions.ever_opened()
    }

    /// The last 10,000 API requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.premises.ledger.requests()
    }

    /// The largest number of API requests that were being served at once.
    pub fn max_concurrent(&self) -> usize {
        self.premises.ledger.max_concurrent()
    }

    /// How many API requests there were with this method, on this path or
    /// below it.
    ///
    /// The path is relative to `apirest.php`: `count("POST", "/Ticket")`
    /// counts `/Ticket` and `/Ticket/5`, but not `/Ticket_User`. Numbers in a
    /// path all count as one, so `/Ticket/5` asks for any ticket. An empty
    /// path counts everything.
    pub fn count(&self, method: &str, path: &str) -> u64 {
        self.premises.ledger.count(method, path)
    }

    /// Waits until that many tickets have been created since the start.
    pub async fn wait_for_tickets(&self, created: u64) {
        self.premises.world.wait_for_tickets(created).await;
    }

    /// Waits until that many API requests have arrived since the start.
    pub async fn wait_for_requests(&self, arrived: u64) {
        self.premises.ledger.wait_for(arrived).await;
    }

    /// Adds a fault to those already scripted.
    pub fn inject(&self, fault: Fault) {
        self.premises.faults.inject(fault);
    }

    /// Replaces all scripted faults by these.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.premises.faults.replace(faults);
    }

    /// The faults that are still to come.
    pub fn faults(&self) -> Vec<Fault> {
        self.premises.faults.pending()
    }

    /// Ends all trouble. Requests that hang already go on hanging.
    pub fn clear(&self) {
        self.premises.faults.replace(Vec::new());
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url()).finish_non_exhaustive()
    }
}
