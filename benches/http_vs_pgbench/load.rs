//! H: a closed loop of keep-alive connections on one thread. Each sends a receipt, waits for its
//! 201 and sends the next. It shares the cores with what it measures, so it does as little as it
//! can: one `write` and one `read` a request, and of the answer it looks at status and length.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cpu::Meter;
use crate::report::Cell;
use crate::stage::Stage;

/// Whom to ask, and about whom.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) members: Vec<String>,
}

/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(10);

/// Receipts sent by this process: their numbers never repeat.
static RECEIPTS: AtomicU64 = AtomicU64::new(0);

/// What is sold: article, category, and the range of its price in minor units.
const GOODS: [(&str, &str, u64, u64); 4] = [
    ("TEA-114", "tea", 3_800, 26_000),
    ("APL-002", "fresh", 600, 4_900),
    ("COF-001", "coffee", 2_200, 9_800),
    ("BOOK-871", "books", 1_900, 12_000),
];

/// Runs the load, and measures it once it is warm.
pub(crate) fn run(
    target: &Target,
    connections: usize,
    warm_up: Duration,
    measured: Duration,
    meter: &Meter,
    stage: &Stage,
) -> anyhow::Result<Cell> {
    let mut load = Load::connect(target, connections)?;
    load.until(Instant::now() + warm_up)?;
    let (wal, batches) = (stage.wal()?, stage.batches()?);
    load.answered.clear();
    let before = meter.read()?;
    load.until(Instant::now() + measured)?;
    let after = meter.read()?;
    let micros = std::mem::take(&mut load.answered);
    let (wal, all) = (stage.wal()? - wal, stage.batches()?);
    load.drain()?;
    Ok(summary(micros, wal, (all.0 - batches.0, all.1 - batches.1), meter.between(&before, &after)))
}

fn summary(mut micros: Vec<u32>, wal: i64, batches: (f64, f64), usage: crate::cpu::Usage) -> Cell {
    micros.sort_unstable();
    let accruals = f64::from(u32::try_from(micros.len()).unwrap_or(u32::MAX));
    let percentile = |percent: usize| {
        let at = (micros.len() * percent / 100).min(micros.len().saturating_sub(1));
        micros.get(at).map(|&micros| f64::from(micros) / 1000.0)
    };
    Cell {
        accruals,
        per_second: accruals / usage.elapsed.as_secs_f64(),
        p50: percentile(50),
        p99: percentile(99),
        batch: Some(batches.0 / batches.1.max(1.0)),
        wal,
        usage,
    }
}

/// The connections, and what they are told to ask.
struct Load<'t> {
    target: &'t Target,
    poll: Poll,
    connections: Vec<Connection>,
    dice: Dice,
    /// How long each answer took, in microseconds.
    answered: Vec<u32>,
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

impl<'t> Load<'t> {
    fn connect(target: &'t Target, connections: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut load = Self {
            target,
            poll,
            connections: Vec::new(),
            dice: Dice(0x5eed + RECEIPTS.load(Ordering::Relaxed)),
            answered: Vec::new(),
        };
        for i in 0..connections {
            let stream = TcpStream::connect(target.address)?;
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

    /// Keeps every connection busy until `end`.
    fn until(&mut self, end: Instant) -> anyhow::Result<()> {
        for i in 0..self.connections.len() {
            if !self.connections[i].waiting {
                self.ask(i)?;
            }
        }
        while Instant::now() < end {
            for i in self.poll.wait(Duration::from_millis(20))? {
                if self.advance(i)? {
                    self.ask(i)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the answers that are still on their way, so that the next load starts on an idle server.
    fn drain(mut self) -> anyhow::Result<()> {
        let end = Instant::now() + DRAIN;
        while self.connections.iter().any(|connection| connection.waiting) {
            anyhow::ensure!(Instant::now() < end, "some requests were not answered");
            for i in self.poll.wait(Duration::from_millis(20))? {
                self.advance(i)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, i: usize) -> anyhow::Result<()> {
        let Self { target, connections, dice, .. } = self;
        let connection = &mut connections[i];
        compose(&mut connection.request, target, dice)?;
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
            connection.waiting = false;
            let micros = u32::try_from(connection.asked.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.answered.push(micros);
        }
        Ok(complete)
    }
}

/// A receipt of one line, under a number and a key of its own.
fn compose(request: &mut Vec<u8>, target: &Target, dice: &mut Dice) -> anyhow::Result<()> {
    let number = RECEIPTS.fetch_add(1, Ordering::Relaxed);
    let member = &target.members[usize::try_from(dice.below(target.members.len() as u64))?];
    let (sku, category, least, most) = GOODS[usize::try_from(dice.below(4))?];
    let amount = least + dice.below(most - least);
    let (key_high, key_low) = (dice.next(), dice.next() >> 16);
    let mut body = [0_u8; 512];
    let mut rest = &mut body[..];
    write!(
        rest,
        r#"{{"member_id":"{member}","external_id":"R-2026-{number:08}","currency":"CNY","lines":[{{"sku":"{sku}","categories":["{category}"],"quantity":1,"amount":{amount}}}]}}"#
    )?;
    let length = 512 - rest.len();
    request.clear();
    write!(
        request,
        "POST /v1/till/purchases HTTP/1.1\r\nHost: tessera\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {key_high:016x}{key_low:012x}\r\nContent-Length: {length}\r\n\r\n",
        target.token
    )?;
    request.extend_from_slice(&body[..length]);
    Ok(())
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
            if let Some(length) = length(answer)
                && answer.len() >= length
            {
                let created = answer.starts_with(b"HTTP/1.1 201 ");
                anyhow::ensure!(created, "not a 201: {}", String::from_utf8_lossy(answer));
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

/// Edge-triggered epoll: a connection is told once that it can go on, and then goes as far as it can.
struct Poll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    fn new() -> anyhow::Result<Self> {
        // SAFETY: makes a descriptor, which nobody else owns.
        let fd = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            anyhow::ensure!(fd >= 0, "epoll: {}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; 256] })
    }

    fn add(&self, stream: &TcpStream, i: usize) -> anyhow::Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET).cast_unsigned();
        let mut event = libc::epoll_event { events, u64: i as u64 };
        // SAFETY: both descriptors are open, and the event is only read.
        let added =
            unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) };
        anyhow::ensure!(added == 0, "epoll: {}", std::io::Error::last_os_error());
        Ok(())
    }

    /// The connections that can go on.
    fn wait(&mut self, patience: Duration) -> anyhow::Result<Vec<usize>> {
        let millis = i32::try_from(patience.as_millis())?;
        let room = i32::try_from(self.events.len())?;
        // SAFETY: the kernel writes no more events than there is room for.
        let ready = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, millis) };
        let Ok(ready) = usize::try_from(ready) else {
            let error = std::io::Error::last_os_error();
            anyhow::ensure!(error.kind() == ErrorKind::Interrupted, "epoll: {error}");
            return Ok(Vec::new());
        };
        self.events[..ready].iter().map(|event| Ok(usize::try_from(event.u64)?)).collect()
    }
}

/// Cheap numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
