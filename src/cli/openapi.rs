//! `tessera openapi`: the document this binary serves.

use std::process::ExitCode;

use super::output;
use crate::api::openapi;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::result(&openapi::document().json)?;
    Ok(ExitCode::SUCCESS)
}
