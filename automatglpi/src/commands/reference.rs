//! `automatglpi man` and `automatglpi completions`: the command line, told to `man` and to shells.

use std::{fs, io, path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};
use service_kit::settings::{self, Setting};

use crate::{cli, cli::Cli, output};

/// Where Debian's package keeps things.
const FILES: [(&str, &str); 4] = [
    ("/etc/automatglpi/automatglpi.env", "The service's settings, read by systemd."),
    ("/var/lib/automatglpi/outbox.db", "The outbox, unless AUTOMATGLPI_STORE names another."),
    ("/usr/sbin/automatglpictl", "Runs a command of automatglpi with the service's settings."),
    ("/usr/share/doc/automatglpi/", "operations.md, configuration.md and samples."),
];

/// Prints completions.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "automatglpi", &mut script);
    output::data(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Writes one page per command; that of `automatglpi` itself tells settings and files too.
pub(crate) fn man(directory: &Path) -> anyhow::Result<ExitCode> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Cli::command(), directory)?;
        fs::write(directory.join("automatglpi.1"), first_page()?)
    };
    write().with_context(|| format!("cannot write manual pages to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn first_page() -> io::Result<Vec<u8>> {
    let command = Man::new(Cli::command().disable_help_subcommand(true));
    let mut page = Vec::new();
    command.render_title(&mut page)?;
    command.render_name_section(&mut page)?;
    command.render_synopsis_section(&mut page)?;
    command.render_description_section(&mut page)?;
    command.render_options_section(&mut page)?;
    command.render_subcommands_section(&mut page)?;
    let mut rest = Roff::new();
    exit_status(&mut rest);
    environment(&mut rest);
    files(&mut rest);
    rest.to_writer(&mut page)?;
    command.render_version_section(&mut page)?;
    Ok(page)
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for line in cli::EXIT_CODES.lines().skip(1).take_while(|line| !line.is_empty()) {
        let (code, meaning) = line.trim().split_once("  ").unwrap_or((line, ""));
        page.control("TP", []).text([bold(code)]).text([roman(meaning)]);
    }
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    for Setting { name, default, secret, meaning } in settings::ALL {
        let default = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        page.control("TP", []).text([bold(*name), roman(default)]);
        page.text([roman(meaning.replace('`', ""))]);
        if *secret {
            page.text([bold(format!("{name}_FILE")), roman(" may name a file with it instead.")]);
        }
    }
}

fn files(page: &mut Roff) {
    page.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        page.control("TP", []).text([italic(file)]).text([roman(meaning)]);
    }
}
