//! What came of it: medians, the table, and the line of ratios at its end.

use std::fmt;

use serde_json::{Value, json};

use crate::cpu::Usage;

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) accruals: f64,
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Commands in a transaction.
    pub(crate) batch: Option<f64>,
    /// Bytes of log.
    pub(crate) wal: i64,
    pub(crate) usage: Usage,
}

impl Cell {
    fn each(&self, time: std::time::Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.accruals.max(1.0)
    }

    fn postgres(&self) -> f64 {
        self.each(self.usage.postgres)
    }

    fn server(&self) -> f64 {
        self.each(self.usage.server)
    }

    fn client(&self) -> f64 {
        self.each(self.usage.client)
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of a few seconds")]
    fn wal(&self) -> f64 {
        self.wal as f64 / self.accruals.max(1.0)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (postgres, server, client) = (self.postgres(), self.server(), self.client());
        write!(f, "{:.0}/s, CPU {postgres:.0} + {server:.0} + {client:.0} µs", self.per_second)?;
        write!(f, ", other load {:.0} %", self.usage.other)
    }
}

/// What a row is called; `None` is pgbench.
pub(crate) fn name(who: Option<usize>, clients: u32) -> String {
    match who {
        None => format!("P: pgbench, {clients} clients"),
        Some(connections) => format!("HTTP, {connections} connections"),
    }
}

/// All measurements, round by round.
pub(crate) struct Report {
    clients: u32,
    rows: Vec<(Option<usize>, Vec<Cell>)>,
}

impl Report {
    pub(crate) fn new(clients: u32, connections: &[usize]) -> Self {
        let rows = std::iter::once(None).chain(connections.iter().copied().map(Some));
        Self { clients, rows: rows.map(|who| (who, Vec::new())).collect() }
    }

    pub(crate) fn add(&mut self, who: Option<usize>, cell: Cell) {
        if let Some((_, cells)) = self.rows.iter_mut().find(|(row, _)| *row == who) {
            cells.push(cell);
        }
    }

    /// Of each round, what a row got to what pgbench got: rate, and CPU time of PostgreSQL and who
    /// speaks to it (the server; of pgbench itself).
    fn ratios(&self, cells: &[Cell]) -> (Spread, Spread) {
        let all = &self.rows[0].1;
        let pairs = || cells.iter().zip(all);
        let cpu = |(h, p): (&Cell, &Cell)| (h.postgres() + h.server()) / (p.postgres() + p.client());
        (Spread::of(pairs().map(|(h, p)| h.per_second / p.per_second)), Spread::of(pairs().map(cpu)))
    }

    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        anyhow::ensure!(self.rows.iter().all(|(_, cells)| !cells.is_empty()), "nothing was measured");
        let text = if as_json { self.json().to_string() } else { self.table() };
        Ok(std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes())?)
    }

    fn table(&self) -> String {
        let mut out = format!(
            "\nMedians of {} rounds (least–most); CPU in µs an accrual; other: share of the machine taken by others\n\n\
             {:<26} {:>24} {:>8} {:>8} {:>6} {:>9} {:>8} {:>8} {:>7} {:>7}\n",
            self.rows[0].1.len(),
            "",
            "accruals/s",
            "p50 ms",
            "p99 ms",
            "batch",
            "Postgres",
            "server",
            "client",
            "WAL B",
            "other %"
        );
        for (who, cells) in &self.rows {
            let optional = |part: fn(&Cell) -> Option<f64>, digits: usize| {
                let spread = Spread::of(cells.iter().filter_map(part));
                if cells.iter().all(|cell| part(cell).is_none()) {
                    "–".to_owned()
                } else {
                    format!("{:.digits$}", spread.median)
                }
            };
            let median = |part: fn(&Cell) -> f64| Spread::of(cells.iter().map(part)).median;
            let rate = Spread::of(cells.iter().map(|cell| cell.per_second));
            out += &format!(
                "{:<26} {:>24} {:>8} {:>8} {:>6} {:>9.0} {:>8.0} {:>8.0} {:>7.0} {:>7.0}\n",
                name(*who, self.clients),
                format!("{:.0} ({:.0}–{:.0})", rate.median, rate.least, rate.most),
                optional(|cell| cell.p50, 1),
                optional(|cell| cell.p99, 1),
                optional(|cell| cell.batch, 0),
                median(Cell::postgres),
                median(Cell::server),
                median(Cell::client),
                median(Cell::wal),
                median(|cell| cell.usage.other),
            );
        }
        out.push('\n');
        let ratios: Vec<String> = self.rows[1..].iter().map(|(who, cells)| self.words(*who, cells)).collect();
        out + "ratios: " + &ratios.join("; ")
    }

    fn words(&self, who: Option<usize>, cells: &[Cell]) -> String {
        let (rate, cpu) = self.ratios(cells);
        let other = Spread::of(cells.iter().map(|cell| cell.usage.other)).median;
        format!(
            "{} = {:.2} × P ({:.2}–{:.2}), CPU {:.2} × P ({:.2}–{:.2}), other load {other:.0} %",
            name(who, self.clients),
            rate.median,
            rate.least,
            rate.most,
            cpu.median,
            cpu.least,
            cpu.most,
        )
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(who, cells)| {
            let median = |part: fn(&Cell) -> f64| Spread::of(cells.iter().map(part)).median;
            let maybe = |part: fn(&Cell) -> Option<f64>| {
                cells.iter().all(|cell| part(cell).is_some()).then(|| Spread::of(cells.iter().filter_map(part)).median)
            };
            let (rate, cpu) = self.ratios(cells);
            json!({
                "name": name(*who, self.clients),
                "connections": who,
                "ratio": who.map(|_| rate.median), "ratio_least": who.map(|_| rate.least), "ratio_most": who.map(|_| rate.most),
                "cpu_ratio": who.map(|_| cpu.median),
                "per_second": median(|cell| cell.per_second),
                "p50_ms": maybe(|cell| cell.p50), "p99_ms": maybe(|cell| cell.p99), "batch": maybe(|cell| cell.batch),
                "postgres_us": median(Cell::postgres), "server_us": median(Cell::server), "client_us": median(Cell::client),
                "wal_bytes": median(Cell::wal),
                "other_load": median(|cell| cell.usage.other),
            })
        });
        json!({ "rounds": self.rows[0].1.len(), "rows": rows.collect::<Vec<_>>() })
    }
}

/// The median and the ends.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let Some((&least, &most)) = values.first().zip(values.last()) else {
            return Self { median: 0.0, least: 0.0, most: 0.0 };
        };
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) };
        Self { median, least, most }
    }
}
