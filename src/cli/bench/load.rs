//! A closed loop of keep-alive connections on one thread. Each sends a request, waits for its answer
//! and sends the next. It shares the cores with what it measures, so it does as little as it can: one
//! `write` and one `read` a request, and of the answer it looks at status and length.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::house::House;
use super::poll::Poll;
use super::stage::Stage;
use super::turns::Cell;

/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(10);

/// What was to be asked for seconds was asked too soon to be measured.
const DRY: &str = "there was nothing left to ask: more --members, or fewer --seconds";

/// Loads begun by this process: none throws the dice of another.
static LOADS: AtomicU64 = AtomicU64::new(0);

/// Writes the next request; false when there is nothing left to ask.
pub(super) type Ask<'a> = &'a mut dyn FnMut(&mut Vec<u8>, &mut Dice) -> anyhow::Result<bool>;

/// Runs a load on a house, and measures it once it is warm. Every answer must have a status of success.
pub(super) fn run(stage: &Stage, house: &House, connections: usize, ask: Ask<'_>) -> anyhow::Result<Cell> {
    let mut load = Load::connect(house.address, connections)?;
    load.until(Instant::now() + stage.plan.warm_up, ask)?;
    anyhow::ensure!(!load.dry, "{DRY}");
    let wal = stage.wal()?;
    load.answered.clear();
    let before = stage.meter.read(Some(house.pid()))?;
    load.until(Instant::now() + stage.plan.measured, ask)?;
    let after = stage.meter.read(Some(house.pid()))?;
    let mut micros = std::mem::take(&mut load.answered);
    let now = stage.wal()?;
    load.drain()?;
    micros.sort_unstable();
    let mut cell = Cell::whole(micros.len() as f64, stage.meter.between(&before, &after));
    anyhow::ensure!(cell.usage.elapsed * 2 > stage.plan.measured, "{DRY}");
    (cell.p50, cell.p99) = (percentile(&micros, 50), percentile(&micros, 99));
    (cell.wal_bytes, cell.wal_syncs) = ((now.bytes - wal.bytes) as f64, (now.syncs - wal.syncs) as f64);
    Ok(cell)
}

/// Asks everything there is to ask, unmeasured.
pub(super) fn all(house: &House, connections: usize, ask: Ask<'_>) -> anyhow::Result<()> {
    let mut load = Load::connect(house.address, connections)?;
    while !load.dry {
        load.until(Instant::now() + DRAIN, ask)?;
    }
    load.drain()
}

/// Of sorted microseconds, in milliseconds; 0 of none.
pub(super) fn percentile(micros: &[u32], percent: usize) -> f64 {
    let at = (micros.len() * percent / 100).min(micros.len().saturating_sub(1));
    micros.get(at).map_or(0.0, |&micros| f64::from(micros) / 1000.0)
}

/// The connections.
pub(super) struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    dice: Dice,
    /// There is nothing left to ask.
    dry: bool,
    /// Whether a status of failure is an answer too.
    pub(super) lenient: bool,
    /// How long each answer took, in microseconds.
    pub(super) answered: Vec<u32>,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    received: usize,
    asked: Instant,
    waiting: bool,
}

impl Load {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> anyhow::Result<Self> {
        let dice = Dice(0x5eed << 32 | LOADS.fetch_add(1, Ordering::Relaxed) << 20);
        let (poll, answered) = (Poll::new()?, Vec::new());
        let mut load = Self { poll, connections: Vec::new(), dice, dry: false, lenient: false, answered };
        for i in 0..connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            load.poll.add(&stream, i)?;
            load.connections.push(Connection {
                stream,
                request: Vec::with_capacity(2048),
                sent: 0,
                answer: vec![0; 32 * 1024],
                received: 0,
                asked: Instant::now(),
                waiting: false,
            });
        }
        Ok(load)
    }

    /// Keeps every connection busy until `end`, or until there is nothing left to ask.
    pub(super) fn until(&mut self, end: Instant, ask: Ask<'_>) -> anyhow::Result<()> {
        for i in 0..self.connections.len() {
            if !self.connections[i].waiting {
                self.ask(i, ask)?;
            }
        }
        while !self.dry && Instant::now() < end {
            for i in self.poll.wait(Duration::from_millis(20))? {
                if self.advance(i)? {
                    self.ask(i, ask)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the answers that are still on their way, so that the next load starts on an idle server.
    pub(super) fn drain(mut self) -> anyhow::Result<()> {
        let end = Instant::now() + DRAIN;
        while self.connections.iter().any(|connection| connection.waiting) {
            anyhow::ensure!(Instant::now() < end, "some requests were not answered");
            for i in self.poll.wait(Duration::from_millis(20))? {
                self.advance(i)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, i: usize, ask: Ask<'_>) -> anyhow::Result<()> {
        let Self { connections, dice, .. } = self;
        let connection = &mut connections[i];
        if !ask(&mut connection.request, dice)? {
            self.dry = true;
            return Ok(());
        }
        (connection.sent, connection.received) = (0, 0);
        (connection.asked, connection.waiting) = (Instant::now(), true);
        connection.send()
    }

    /// Moves a connection on; true when its answer is complete.
    fn advance(&mut self, i: usize) -> anyhow::Result<bool> {
        let connection = &mut self.connections[i];
        if !connection.waiting {
            return Ok(false);
        }
        connection.send()?;
        let complete = connection.receive()?;
        if complete {
            let answer = &connection.answer[..connection.received];
            let success = answer.starts_with(b"HTTP/1.1 2");
            anyhow::ensure!(success || self.lenient, "not a success: {}", String::from_utf8_lossy(answer));
            connection.waiting = false;
            let micros = u32::try_from(connection.asked.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.answered.push(micros);
        }
        Ok(complete)
    }
}

impl Connection {
    fn send(&mut self) -> anyhow::Result<()> {
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("asking the server"),
            }
        }
        Ok(())
    }

    /// Reads what is there; true when the answer is complete. Nothing follows an answer before the
    /// next request, so that a complete one needs no further read.
    fn receive(&mut self) -> anyhow::Result<bool> {
        loop {
            match self.stream.read(&mut self.answer[self.received..]) {
                Ok(0) => anyhow::bail!("the server hung up"),
                Ok(bytes) => self.received += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("reading an answer"),
            }
            let answer = &self.answer[..self.received];
            if length(answer).is_some_and(|length| answer.len() >= length) {
                return Ok(true);
            }
            anyhow::ensure!(self.received < self.answer.len(), "an answer above 32 KiB");
        }
    }
}

/// Length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let lines = answer[..head].split(|&byte| byte == b'\n');
    let line = lines.into_iter().find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    let digits = std::str::from_utf8(line?[NAME.len()..].trim_ascii()).ok()?;
    Some(head + 4 + digits.parse::<usize>().ok()?)
}

/// Cheap numbers that look random (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
