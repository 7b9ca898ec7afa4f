//! `tessera demo`: everything running on sample data, from one command.
//!
//! The sample lives in the database like real data and is made only where there is none: a second
//! start finds it. Every step may be cut short and done again.

mod banner;
mod basket;
mod dice;
mod logins;
mod people;
mod plan;
mod replay;
mod setup;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tessera_rules::Programme;
use tessera_rules::time::add_days;

use self::banner::Ready;
use self::logins::Logins;
use self::plan::{DAYS, Plan, Progress};
use self::replay::Replay;
use self::setup::Shop;
use self::stop::Stop;
use super::desk::{self, Desk};
use super::programme::ProgrammeFile;
use super::{migrate, output, programme};
use crate::app::{App, Database};
use crate::config::Settings;
use crate::engine::configure;
use crate::{postgres, telemetry};

/// The programme where no file is named.
const PROGRAMME: &str = include_str!("../../../config/programmes/demo.toml");

/// What the shell sees when Ctrl-C ends a command.
const INTERRUPTED: u8 = 130;

/// Arguments of `tessera demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything is kept below .tessera; remove that directory to begin anew.")]
pub struct Args {
    /// One JSON line when ready: {"url","logins":[{"role","identifier","password"}],"members","purchases"}
    #[arg(long)]
    json: bool,
    /// A programme in TOML instead of the built-in one
    #[arg(long, value_name = "FILE")]
    programme: Option<PathBuf>,
    /// Programme, stores and logins only: no sample data
    #[arg(long, conflicts_with_all = ["members", "purchases"])]
    empty: bool,
    /// Sample members
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=900_000))]
    members: u32,
    /// Sample purchases, spread over a year
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    purchases: u32,
}

/// Makes the sample data where there is none, then serves.
///
/// # Errors
/// In words for whoever called.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load()?;
    settings.sandbox = true;
    settings.database.allow_owner = true;
    desk::quieten(&mut settings.log);
    telemetry::init(&settings.log)?;
    let file = args.programme.as_deref().map(ProgrammeFile::read).transpose()?.map(|file| file.programme);
    let stop = Stop::listen()?;

    let desk = open(settings)?;
    let (logins, path) = Logins::open(&desk.settings.data_dir)?;
    let Some(plan) = prepare(args, &desk, &logins, file, &stop)? else {
        desk.close()?;
        output::message("interrupted; the next start goes on from here");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let (settings, database) = desk.into_database();
    let app = App::start_on(&settings, database)?;
    let ready = Ready { address: app.address(), logins: &logins, file: &path, plan: &plan };
    ready.print(args.json)?;
    stop.wait();
    output::message("stopping …");
    app.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the database and migrates it: a demo has no operator who would.
fn open(settings: Settings) -> anyhow::Result<Desk> {
    if settings.database.url.is_none() {
        output::message("starting the private PostgreSQL server …");
    }
    migrate::existing(&settings.database).context("migrating the database")?;
    let database = Database::open(&settings, postgres::Durability::Durable)?;
    Desk::open_on(settings, database)
}

/// Programme, stores, logins and sample data, as far as they are missing. `None` when told to stop.
fn prepare(
    args: &Args,
    desk: &Desk,
    logins: &Logins,
    file: Option<Programme>,
    stop: &Stop,
) -> anyhow::Result<Option<Plan>> {
    let progress = plan::progress(&desk.pool)?;
    let current = desk.pool.blocking(configure::current)?;
    anyhow::ensure!(
        progress != Progress::Absent || current.is_none(),
        "this database holds a programme that is not the demo's: name another one in DATABASE_URL, or use `tessera serve`"
    );
    let (programme, name) = match (file, current) {
        (Some(programme), _) => {
            (programme, args.programme.as_ref().map_or_else(String::new, |p| p.display().to_string()))
        }
        (None, Some((_, programme))) => (programme, "the programme in force".to_owned()),
        (None, None) => {
            (programme::parse(PROGRAMME).context("the built-in programme")?, "the built-in programme".to_owned())
        }
    };
    let now = desk.clock.now();
    let zone = programme.time_zone;
    let plan = match progress {
        Progress::Begun(plan) | Progress::Done(plan) => {
            tell_if_other(args, &plan);
            plan
        }
        Progress::Absent if args.empty => Plan { first_day: zone.day_of(now), members: 1, purchases: 0 },
        Progress::Absent => {
            let first_day = add_days(zone.day_of(now), -i64::from(DAYS));
            Plan { first_day, members: args.members, purchases: args.purchases }
        }
    };
    if progress == Progress::Absent {
        desk.pool.blocking(|conn| plan::begin(conn, &plan, now))?;
    }
    setup::programme(desk, &programme, &name)?;
    let shops = setup::stores(desk)?;
    setup::logins(desk, logins, &shops, zone.midnight(plan.first_day))?;
    if matches!(progress, Progress::Done(_)) {
        return Ok(Some(plan));
    }
    let replayed = plan.members == 1 && plan.purchases == 0 || replay(desk, &plan, &shops, stop)?;
    if !replayed {
        return Ok(None);
    }
    desk.pool.blocking(|conn| plan::finish(conn, &plan, desk.clock.now()))?;
    Ok(Some(plan))
}

/// Lives through the plan's year. False when told to stop before its end.
fn replay(desk: &Desk, plan: &Plan, shops: &[Shop], stop: &Stop) -> anyhow::Result<bool> {
    let engine = desk.engine()?;
    let bar = output::progress(plan.purchases.into(), "a year of purchases");
    if bar.is_hidden() {
        output::message("replaying a year of purchases …");
    }
    let replayed = Replay { engine: &engine, plan, shops, bar: &bar, stop }.run();
    bar.finish_and_clear();
    engine.drain();
    replayed
}

/// Sample data is made once; who asks for another size is told what there is.
fn tell_if_other(args: &Args, plan: &Plan) {
    let Plan { members, purchases, .. } = *plan;
    let wanted = if args.empty { (1, 0) } else { (args.members, args.purchases) };
    if wanted != (members, purchases) {
        output::message(format_args!("using the sample data that is there: {members} members, {purchases} purchases"));
    }
}
