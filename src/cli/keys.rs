//! `tessera keys`: the files that sign access tokens. `serve` makes the first one by itself.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::access::keys;
use crate::clock::Clock;
use crate::config::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// One JSON line: {"kid","directory","retired":[kid]}
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Make the first key; fails where there is one
    Generate,
    /// Add a key, which signs in ten seconds, and remove those that no living token needs
    Rotate,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    let directory = &settings.auth.keys_dir;
    let exists = holds_keys(directory).with_context(|| format!("reading {}", directory.display()))?;
    match (args.command, exists) {
        (Command::Generate, true) => {
            anyhow::bail!("{} holds keys already; `tessera keys rotate` adds one", directory.display())
        }
        (Command::Rotate, false) => {
            anyhow::bail!("{} holds no key yet; `tessera keys generate` makes the first", directory.display())
        }
        (Command::Generate, false) | (Command::Rotate, true) => {}
    }
    let now = Clock::wall().wall_now();
    let kid = keys::add(directory, now)?;
    let retired = keys::retire(directory, now)?;
    if args.json {
        output::result(json!({ "kid": kid, "directory": directory, "retired": retired }))?;
    } else {
        output::result(&kid)?;
        output::message(format_args!("the new key is in {}", directory.display()));
        for kid in retired {
            output::message(format_args!("{kid} is gone: no token of its lives any more"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn holds_keys(directory: &Path) -> std::io::Result<bool> {
    if !directory.exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(directory)? {
        if entry?.path().extension().is_some_and(|extension| extension == "json") {
            return Ok(true);
        }
    }
    Ok(false)
}
