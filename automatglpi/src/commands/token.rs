//! `automatglpi token new`: a token that is shown once.

use std::process::ExitCode;

use access::{NewToken, Role};
use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use crate::{cli::Token, output};

pub(crate) fn run(order: Token) -> anyhow::Result<ExitCode> {
    let Token::New { name, roles, until, path } = order;
    let NewToken { secret, digest } = NewToken::draw().context("the system gives no randomness")?;
    let word = if path { "path" } else { "token" };
    let roles: Vec<&str> = roles.into_iter().map(Role::as_str).collect();
    let until = until.map(|day| format!(",until={day}")).unwrap_or_default();
    output::data(secret.expose_secret());
    output::talk("Shown only now. The line for the file of AUTOMATGLPI_CLIENTS_FILE:");
    output::talk(&format!("{name} {} {word}={digest}{until}", roles.join(",")));
    if path {
        output::talk("The webhook is then also at /webhook/ followed by the secret.");
    }
    Ok(ExitCode::SUCCESS)
}
