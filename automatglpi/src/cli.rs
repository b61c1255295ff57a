//! What can be typed. The doc comments are the help.

#![expect(clippy::doc_markdown, reason = "the help names settings without backticks")]

use std::{net::SocketAddr, path::PathBuf, str::FromStr as _, time::Duration};

use access::{Name, Role};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ticketing_core::ticket::Reference;

/// What every command ends with.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the message says what and, where it is known, what to do
  2  the command line or the configuration is wrong

Data goes to standard output, everything else to standard error.
Settings come from the environment and the file of --config; `automatglpi config` lists them.";

/// Turns phone calls into GLPI tickets: exactly one for each call that was acknowledged.
///
/// Begin with `automatglpi demo`: it needs no GLPI and no configuration.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// A TOML file with settings, below the environment [default: what AUTOMATGLPI_CONFIG names]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try everything at once, with a simulated GLPI; nothing is kept
    ///
    /// Starts a GLPI in memory, the gRPC server and the web gateway in one process and prints what
    /// to try. Only loopback is listened on. Of the configuration it takes the language, the field
    /// names, the waiting time and the log settings.
    Demo(Demo),
    /// Run the gRPC server and the web gateway in one process
    ///
    /// What a single machine needs. SIGTERM lets calls under way end; a second one ends at once.
    Serve(StateDirectory),
    /// Run the gRPC server alone
    Server(StateDirectory),
    /// Run the web gateway alone, before the gRPC server of AUTOMATGLPI_GRPC_URL
    Gateway,
    /// Run a GLPI 10 in memory, to develop and test against
    ///
    /// Its tickets are shown at `/`. Trouble is scripted by `POST /sandbox/faults`.
    Sandbox(Sandbox),
    /// Make a call as a voice agent does, and print the reply
    ///
    /// Sends AUTOMATGLPI_WEBHOOK_TOKEN if it is set. The exit code is 0 only if the reply says
    /// `"success": true`.
    Call(Call),
    /// Try the configuration against GLPI, and say for each fault what to do
    ///
    /// Changes nothing at GLPI. The exit code is 1 if tickets cannot be made.
    Check(Format),
    /// Try the channels that people are told by
    #[command(subcommand)]
    Notify(Notify),
    /// Show every setting as it takes effect and where it comes from, secrets masked
    ///
    /// Without any of GLPI's settings it is taken for the configuration of `automatglpi gateway`.
    Config(Format),
    /// Ask a running service whether tickets can be recorded, as a container's health check
    ///
    /// Asks `/readyz` of AUTOMATGLPI_ADMIN_LISTEN. The exit code is 0 only if the answer is yes.
    Health(Health),
    /// Draw a token for a client: print it once, and the line to store
    ///
    /// The token goes to standard output, and nothing else: it is kept nowhere. The line goes to
    /// standard error; put it into the file of AUTOMATGLPI_CLIENTS_FILE, then send SIGHUP.
    #[command(subcommand)]
    Token(Token),
    /// See and mend what waits for GLPI
    ///
    /// Asks the gRPC server of AUTOMATGLPI_GRPC_URL, with AUTOMATGLPI_GRPC_TOKEN if it is set. What
    /// callers said is shown only with --personal, and by `export`.
    #[command(subcommand)]
    Outbox(Outbox),
    /// Measure what a ticket costs on this machine, beside what GLPI alone costs
    ///
    /// Starts a GLPI in memory, a gRPC server and a web gateway as processes of their own, on
    /// loopback, with none of the configuration, and ends them all. The exit code is 1 if a call
    /// failed.
    Bench(crate::commands::bench::Options),
    /// Print completions for a shell
    ///
    /// For bash: automatglpi completions bash > /etc/bash_completion.d/automatglpi
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man {
        /// Where to; it is made if it does not exist
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Port of the web gateway; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) http: u16,
    /// Port of the gRPC server
    #[arg(long, value_name = "PORT", default_value_t = 50051)]
    pub(crate) grpc: u16,
    /// Port of health and readiness
    #[arg(long, value_name = "PORT", default_value_t = 9464)]
    pub(crate) admin: u16,
    /// Port of the simulated GLPI
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub(crate) glpi: u16,
}

#[derive(Debug, Args)]
pub(crate) struct StateDirectory {
    /// Where the outbox file is kept unless AUTOMATGLPI_STORE is set; systemd names it
    #[arg(long, value_name = "DIRECTORY", env = "STATE_DIRECTORY", hide_env_values = true)]
    pub(crate) state_directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub(crate) listen: SocketAddr,
    /// App-Token to accept
    #[arg(long, value_name = "TOKEN", default_value = "sandbox-app-token")]
    pub(crate) app_token: String,
    /// API token of its user `glpi` to accept
    #[arg(long, value_name = "TOKEN", default_value = "sandbox-user-token")]
    pub(crate) user_token: String,
    /// Language of its error messages
    #[arg(long, value_enum, default_value = "fr")]
    pub(crate) language: SandboxLanguage,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SandboxLanguage {
    Fr,
    En,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The web gateway, or its webhook [default: the address of AUTOMATGLPI_HTTP_LISTEN]
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// JSON to send; `-` reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    pub(crate) file: Option<PathBuf>,
    /// Send a sample, as without --file
    #[arg(long)]
    pub(crate) sample: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notify {
    /// Send a test message to every configured channel, and say for each what became of it
    ///
    /// What is sent is real. The exit code is 1 if one of them could not be told.
    Test(NotifyTest),
}

#[derive(Debug, Args)]
pub(crate) struct NotifyTest {
    /// Only this channel: slack, teams, mail or webhook
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) channel: Option<notices::Kind>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Format {
    /// Print JSON, one object per line, instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Health {
    /// Ask a gRPC server that runs alone, at AUTOMATGLPI_SERVER_ADMIN_LISTEN
    #[arg(long)]
    pub(crate) server: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// List entries in the order of recording
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        personal: Personal,
        #[command(flatten)]
        format: Format,
    },
    /// Show one entry
    Show {
        /// Its reference, such as 482-917-305
        #[arg(value_parser = Reference::parse)]
        reference: Reference,
        #[command(flatten)]
        personal: Personal,
        #[command(flatten)]
        format: Format,
    },
    /// Send entries now that are waiting, in doubt or parked; doubtful ones are looked up first
    Retry(References),
    /// Give entries up for good that are waiting, in doubt or parked: no ticket will be made
    Discard(References),
    /// Print how the outbox stands, and again whenever it changes
    Watch(Format),
    /// Print how the outbox stands
    Stats(Format),
    /// Find all requests of a caller, whatever became of them, who asks what is kept
    Find {
        #[command(flatten)]
        caller: Caller,
        #[command(flatten)]
        personal: Personal,
        #[command(flatten)]
        format: Format,
    },
    /// Erase what a caller said from the outbox; what GLPI has is not touched
    ///
    /// Delivered requests lose what was said, parked ones are given up as well. Without --yes
    /// nothing is erased and the requests are only listed. Requests that only mention the caller are
    /// left unless asked for. The exit code is 1 if some are left.
    Erase {
        #[command(flatten)]
        caller: Caller,
        /// Also give up and erase requests that have still to be delivered
        #[arg(long)]
        also_waiting: bool,
        /// Also erase requests that only mention the caller: look at them with `find` first
        #[arg(long)]
        mentioned: bool,
        /// Erase, instead of listing what would be
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Write a whole copy of the outbox to a new file, while the service runs
    ///
    /// For an outbox in a SQLite file; PostgreSQL is backed up with its own tools. The copy holds
    /// what callers said.
    Backup {
        /// The copy to be; it must not exist yet
        #[arg(value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        directory: StateDirectory,
    },
    /// Put a copy in the place of the outbox, while the service is stopped
    ///
    /// What was recorded since the copy was made is lost. At the next start every request that the
    /// copy does not know to be delivered is looked up in GLPI before it is sent, so that none is
    /// doubled. What was there before is kept beside it.
    Restore {
        /// The copy
        #[arg(value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        directory: StateDirectory,
    },
    /// Print parked entries with all that callers said, as JSON, one per line
    ///
    /// Characters that could steer a terminal are written as escapes. The output is personal data.
    Export {
        #[command(flatten)]
        which: OlderThan,
        /// Print CSV; cells that a spreadsheet would take for a formula begin with an apostrophe
        #[arg(long)]
        csv: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Draw one
    New {
        /// The client's name: up to 64 letters, digits, `-`, `_` and `.`
        #[arg(long, value_parser = client_name)]
        name: Name,
        /// What it may do: create, read, operate or relay; may be given several times
        #[arg(long = "role", required = true, value_parser = Role::from_str)]
        roles: Vec<Role>,
        /// The last day it is valid, such as 2027-01-31
        #[arg(long, value_name = "DAY")]
        until: Option<jiff::civil::Date>,
        /// Draw a secret path for webhooks that cannot send a token, instead of a token
        #[arg(long)]
        path: bool,
    },
}

fn client_name(text: &str) -> Result<Name, &'static str> {
    match Name::parse(text) {
        None => Err("a name has up to 64 letters, digits, - _ and ."),
        Some(name) if name.is_ours() => Err("webhook, grpc, gateway and local are names of ours"),
        Some(name) => Ok(name),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Caller {
    /// Name, phone number, e-mail address or login, whole; case, accents and the order of a name's
    /// words do not matter, nor how a number is written
    #[arg(long, value_name = "TEXT")]
    pub(crate) caller: String,
}

#[derive(Debug, Args)]
pub(crate) struct References {
    /// Their references, such as 482-917-305
    #[arg(required = true, value_name = "REFERENCE", value_parser = Reference::parse)]
    pub(crate) references: Vec<Reference>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only entries in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<State>,
    #[command(flatten)]
    pub(crate) age: OlderThan,
}

#[derive(Debug, Args)]
pub(crate) struct OlderThan {
    /// Only entries recorded at least this long ago, such as 90s, 2h or 7d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Personal {
    /// Show what callers said
    #[arg(long)]
    pub(crate) personal: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum State {
    /// Certainly not in GLPI; sent when due
    Waiting,
    /// Being sent
    Sending,
    /// May be in GLPI; looked up before anything is sent again
    InDoubt,
    /// In GLPI
    Delivered,
    /// Refused by GLPI; an operator decides
    Parked,
    /// Given up by an operator
    Discarded,
}
