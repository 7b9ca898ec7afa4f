//! `tessera verify`: recomputes everything from the rows and compares.
//!
//! Members are read in id order, a few hundred at a time, as the books stood when the command
//! started: it may run beside a server at work. Entries are the truth; lots, balances, days, windows
//! and tiers must follow from them and from the documents. Nothing is changed, and nothing is put
//! right: whoever changed the rows must be asked first.

mod anchor;
mod books;
mod chain;
mod history;
mod idle;
mod life;
mod lots;
mod moved;
mod perks;
mod promotions;
mod redemptions;
mod sales;
mod tier;
mod walk;
mod wallets;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tessera_rules::ledger::Account;

use super::desk::Desk;
use super::output;

use walk::Totals;

/// What `tessera verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0: everything follows. 1: something does not, and the first such row is named. \
    heads_hash is SHA-256 over member id and last hash of every member in id order. Who may change every row can \
    compute a chain anew: keep a file of --write-anchor where he cannot reach it, and --anchor finds him out.")]
pub struct Args {
    /// One JSON line: {"ok","members","entries","sums":{account: points},"heads_hash"}
    #[arg(long)]
    json: bool,

    /// Compare with heads of chains that were kept in this file: the chains must still go through them
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,

    /// Keep the heads of all chains in this file, once everything has turned out right
    #[arg(long, value_name = "FILE")]
    write_anchor: Option<PathBuf>,
}

/// Verifies the whole books.
///
/// # Errors
/// The database is away, or a file of heads cannot be read or written. What is wrong in the books is no
/// error but the result.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let marks = args.anchor.as_deref().map(anchor::read).transpose()?.unwrap_or_default();
    let writer = args.write_anchor.as_deref().map(anchor::Writer::new).transpose()?;
    let desk = Desk::open()?;
    let walked = walk::walk(&desk.pool, marks, writer);
    desk.close()?;
    let totals = walked?;
    if let Some(bad) = &totals.first_bad {
        output::message(format_args!("verify: {bad}"));
        if totals.bad > 1 {
            output::message(format_args!("verify: {} members or totals are wrong in all", totals.bad));
        }
    }
    if args.json {
        output::result(json!({
            "ok": totals.first_bad.is_none(),
            "members": totals.members,
            "entries": totals.entries,
            "sums": sums(&totals),
            "heads_hash": totals.heads_hash(),
        }))?;
    } else {
        let word = if totals.first_bad.is_none() { "ok" } else { "NOT OK" };
        output::result(format_args!("{word}: {} members, {} entries", totals.members, totals.entries))?;
    }
    Ok(if totals.first_bad.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sums(totals: &Totals) -> Map<String, Value> {
    let sum = |account: Account| {
        let points = totals.sums.of(account);
        // A sum that no 64 bits hold is written out rather than cut.
        i64::try_from(points).map_or_else(|_| Value::from(points.to_string()), Value::from)
    };
    Account::ALL.into_iter().map(|account| (account.as_str().to_owned(), sum(account))).collect()
}
