//! `tessera import members|purchases FILE`: history brought along, decided by the same rules through
//! the same engine.
//!
//! A file is read once, front to back, a few hundred rows at a time: what is held in memory does not
//! grow with it. Nothing is written without `--commit`, and importing a file twice is importing it
//! once: a member is known by his external id, a receipt by its store and number. An import that was
//! killed is started again with the same file.

mod cells;
mod members;
mod purchases;
mod raw;
mod receipts;
mod report;
mod shops;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use tessera_rules::Programme;
use tessera_rules::document::Document as _;

use super::desk::Desk;
use super::output;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::store::db::{Connection, Pool};
use crate::store::{self, programme};

use report::Report;
use shops::Shops;

/// What `tessera import` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What a file holds.
#[derive(Debug, Subcommand)]
enum What {
    /// Import members: external_id,name[,phone,email,birth_date,enrolled_at,store,locale,opening_points,referred_by]
    Members(Options),
    /// Import purchases: external_id,member,store,occurred_at,amount[,currency,channel,line,sku,categories,quantity]
    #[command(after_help = "CSV has one line of a receipt a row, and the rows of a receipt stand together. \
        JSON lines (.jsonl, .ndjson) have one receipt an object, its lines in `lines`. `member` is the member's \
        external id; categories are separated by `|`; amounts are decimals in major units.")]
    Purchases(Options),
}

/// How a file is imported.
#[derive(Debug, clap::Args)]
struct Options {
    /// The file, plain or gzip
    file: PathBuf,
    /// Write; without it the file is only checked
    #[arg(long)]
    commit: bool,
    /// Open the stores that are not known yet
    #[arg(long)]
    create_stores: bool,
    /// Where rows that were not taken are listed [default: FILE.errors.csv]
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// End with one JSON line: {"rows","accepted","duplicates","rejected","errors_file"}
    #[arg(long)]
    json: bool,
}

/// What an import works with.
struct Import<'a> {
    conn: &'a mut Connection,
    engine: &'a Engine,
    clock: &'a Clock,
    version: i64,
    programme: &'a Programme,
    options: &'a Options,
    shops: Shops,
    report: Report,
}

/// Imports a file.
///
/// # Errors
/// The file cannot be read as what it should be, or the database is away. What was taken until then
/// stays, and is not taken again.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open()?;
    let engine = desk.engine()?;
    let done = import(&args.what, &desk.pool, &engine, &desk.clock);
    engine.drain();
    drop(engine);
    desk.close()?;
    let options = args.what.options();
    let report = done?;
    if !options.commit {
        output::message("a dry run: nothing was written; --commit writes");
    }
    if let Some(file) = report.errors_file() {
        output::message(format_args!("rows that were not taken are listed in {}", file.display()));
    }
    let counts = report.counts();
    if options.json {
        output::result(json!({
            "rows": counts.rows,
            "accepted": counts.accepted,
            "duplicates": counts.duplicates,
            "rejected": counts.rejected,
            "errors_file": report.errors_file(),
        }))?;
    } else {
        output::result(format_args!(
            "{} rows: {} accepted, {} duplicates, {} rejected",
            counts.rows, counts.accepted, counts.duplicates, counts.rejected
        ))?;
    }
    Ok(if counts.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl What {
    fn options(&self) -> &Options {
        match self {
            Self::Members(options) | Self::Purchases(options) => options,
        }
    }
}

fn import(what: &What, pool: &Pool, engine: &Engine, clock: &Clock) -> anyhow::Result<Report> {
    let options = what.options();
    let (input, bar) = source::open(&options.file)?;
    let report = Report::new(&options.file, options.errors.as_deref())?;
    // One connection for the whole file: a dry run keeps its list of what it has seen on it.
    pool.blocking(|conn| {
        store::import::prepare(conn)?;
        Ok((|| {
            let (version, document) =
                programme::latest(conn)?.context("no programme is in force yet: run `tessera programme apply FILE`")?;
            let programme = Programme::read_from(document).context("the programme in force")?;
            let shops = Shops::new(options.create_stores, options.commit);
            let mut import = Import { conn, engine, clock, version, programme: &programme, options, shops, report };
            match what {
                What::Members(_) => members::import(&mut import, input)?,
                What::Purchases(_) => purchases::import(&mut import, input)?,
            }
            import.report.finish()?;
            bar.finish_and_clear();
            Ok(import.report)
        })())
    })?
}
