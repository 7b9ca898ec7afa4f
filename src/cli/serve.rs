//! `tessera serve`.

use std::process::ExitCode;

use crate::app::App;
use crate::config::Settings;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    App::start(&settings)?.serve()?;
    Ok(ExitCode::SUCCESS)
}
