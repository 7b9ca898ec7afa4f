//! Logs and metrics: what the process says about itself.
//!
//! Logs go to standard error, so that standard output stays for results. Nothing here may see a
//! password, a token, a code or a connection string: what is logged is chosen where it is logged.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};

/// Latency buckets in seconds, from half a millisecond to five seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How often recorded samples are folded into their buckets where nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `log.level` is not a filter.
    #[error("log.level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The metrics recorder could not be installed.
    #[error("metrics: {0}")]
    Metrics(#[from] BuildError),
}

/// Starts logs and metrics. A second call in the same process (tests) changes nothing.
///
/// # Errors
/// [`Error::Level`] for a filter that does not parse.
pub fn init(settings: &LogSettings) -> Result<(), Error> {
    init_logs(settings)?;
    init_metrics()
}

fn init_logs(settings: &LogSettings) -> Result<(), Error> {
    let filter: Targets = settings.level.parse()?;
    let colour = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
    let filtered = tracing_subscriber::registry().with(filter);
    let started = match settings.format {
        LogFormat::Text => filtered.with(lines.with_target(false)).try_init(),
        LogFormat::Json => filtered.with(lines.json().flatten_event(true)).try_init(),
    };
    // The only failure is that a subscriber is already there, which is what a second call means.
    drop(started);
    Ok(())
}

fn init_metrics() -> Result<(), Error> {
    static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = STARTING.lock();
    if METRICS.get().is_some() {
        return Ok(());
    }
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS)?.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed: /metrics stays empty");
    }
    let folding = handle.clone();
    let folder = std::thread::Builder::new().name("metrics-upkeep".to_owned());
    let started = folder.spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            folding.run_upkeep();
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread for metrics upkeep: histograms grow until they are scraped");
    }
    METRICS.get_or_init(|| handle);
    Ok(())
}

/// The metrics in the Prometheus text format; empty before [`init`].
pub fn render_metrics() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}
