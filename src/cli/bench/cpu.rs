//! CPU time, from `/proc` and `getrusage`: of PostgreSQL (the postmaster and its children, the dead
//! ones included), of the server asked, of this process, of the commands it has run, and of the whole
//! machine.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Reads the CPU time of what takes part.
pub(super) struct Meter {
    postmaster: u32,
    tick: u64,
    cores: u32,
}

/// CPU time so far.
pub(super) struct Reading {
    at: Instant,
    postgres: Duration,
    server: Duration,
    own: Duration,
    children: Duration,
    machine: Duration,
}

/// CPU time of an interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) elapsed: Duration,
    /// PostgreSQL.
    pub(super) postgres: Duration,
    /// The server.
    pub(super) server: Duration,
    /// Who asks: this process, and pgbench or another command once it has ended.
    pub(super) client: Duration,
    /// The share of the machine that others took, in percent.
    pub(super) other: f64,
}

impl Meter {
    pub(super) fn new(postmaster: u32) -> Self {
        // SAFETY: asks for two numbers.
        let (ticks, cores) = unsafe { (libc::sysconf(libc::_SC_CLK_TCK), libc::sysconf(libc::_SC_NPROCESSORS_ONLN)) };
        let tick = 1_000_000 / u64::try_from(ticks).unwrap_or(100).max(1);
        Self { postmaster, tick, cores: u32::try_from(cores).unwrap_or(1).max(1) }
    }

    /// CPU time so far; `server` is the process asked, if any.
    pub(super) fn read(&self, server: Option<u32>) -> anyhow::Result<Reading> {
        let server = match server {
            Some(pid) => Stat::of(pid).context("the server has gone")?.own,
            None => 0,
        };
        let postgres = self.postgres()?;
        Ok(Reading {
            at: Instant::now(),
            postgres: self.duration(postgres),
            server: self.duration(server),
            own: used(libc::RUSAGE_SELF),
            children: used(libc::RUSAGE_CHILDREN),
            machine: self.duration(busy()?),
        })
    }

    /// Ticks of the postmaster, its living children and the dead ones, whose time it takes over when
    /// it collects them: where it did so meanwhile, the sum would have them twice or not at all.
    fn postgres(&self) -> anyhow::Result<u64> {
        loop {
            let before = Stat::of(self.postmaster).context("the PostgreSQL server has gone")?;
            let mut children = 0;
            for process in fs::read_dir("/proc")?.flatten() {
                let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some(stat) = pid.and_then(Stat::of).filter(|stat| stat.parent == self.postmaster) {
                    children += stat.own;
                }
            }
            let after = Stat::of(self.postmaster).context("the PostgreSQL server has gone")?;
            if after.waited_for == before.waited_for {
                return Ok(after.own + after.waited_for + children);
            }
        }
    }

    fn duration(&self, ticks: u64) -> Duration {
        Duration::from_micros(ticks * self.tick)
    }

    pub(super) fn between(&self, from: &Reading, to: &Reading) -> Usage {
        let elapsed = to.at - from.at;
        let since = |part: fn(&Reading) -> Duration| part(to).saturating_sub(part(from));
        let (postgres, server) = (since(|reading| reading.postgres), since(|reading| reading.server));
        let client = since(|reading| reading.own) + since(|reading| reading.children);
        let others = since(|reading| reading.machine).saturating_sub(postgres + server + client);
        let other = 100.0 * others.as_secs_f64() / (elapsed * self.cores).as_secs_f64();
        Usage { elapsed, postgres, server, client, other }
    }
}

/// What we want of `/proc/<pid>/stat`, in ticks.
struct Stat {
    parent: u32,
    own: u64,
    waited_for: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything, brackets too.
        let fields: Vec<u64> =
            text.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let [_, parent, _, _, _, _, _, _, _, _, _, user, system, waited_user, waited_system, ..] = fields[..] else {
            return None;
        };
        Some(Self { parent: u32::try_from(parent).ok()?, own: user + system, waited_for: waited_user + waited_system })
    }
}

/// Ticks the machine was not idle: everything of the first line but idle and waiting for disks, and
/// but the guests' time, which is in the users' already.
fn busy() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    Ok(fields.iter().enumerate().filter(|(i, _)| !matches!(i, 3 | 4 | 8..)).map(|(_, ticks)| ticks).sum())
}

fn used(who: libc::c_int) -> Duration {
    // SAFETY: rusage is plain numbers, and getrusage fills all of them.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(who, &mut usage);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}
