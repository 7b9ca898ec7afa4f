//! Receipts through the engine, many on their way at once and in the order of the file; or, in a dry
//! run, decided by the same rules without being written.

use std::collections::{HashMap, VecDeque};

use tessera_rules::command::Purchase;
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::{Actor, Command, Context, MemberState, Refusal, Standing, State, decide};
use tokio::sync::oneshot;

use super::Import;
use super::raw::Receipts;
use super::receipts::{self, Receipt};
use super::report::RowError;
use super::source::Input;
use crate::api::error::{Code, Problem};
use crate::api::till::purchases::render;
use crate::clock::new_uuid;
use crate::engine::{Failure, Reply, Submission, Time};
use crate::store::import::{self as lookup, Found, Seen};

/// Receipts whose members are looked up together.
const CHUNK: usize = 512;
/// Receipts on their way through the engine: several full batches.
const WINDOW: usize = 2_048;
/// Lines read, and lines on their way: receipts may be long.
const LINES: usize = 16_384;

/// A receipt with its place in the file.
struct Item<T> {
    at: u64,
    rows: u64,
    what: Result<T, Vec<RowError>>,
}

/// A receipt whose member and store are known.
struct Ready {
    member: Found,
    purchase: Purchase,
}

/// A receipt on its way.
type Answer = oneshot::Receiver<Result<Reply, Failure>>;

pub(super) fn import(import: &mut Import<'_>, input: Input) -> anyhow::Result<()> {
    let mut file = Receipts::open(input, &import.options.file)?;
    if import.options.commit {
        let mut sent = Sent::default();
        while let Some(chunk) = chunk(import, &mut file)? {
            for item in resolve(import, chunk)? {
                sent.send(import, item)?;
            }
        }
        return sent.wait(import, 0);
    }
    let mut rehearsal = Rehearsal { seen: Seen::begin(import.conn)? };
    while let Some(chunk) = chunk(import, &mut file)? {
        let chunk = resolve(import, chunk)?;
        rehearsal.decide(import, chunk)?;
    }
    Ok(rehearsal.seen.end(import.conn)?)
}

/// The next receipts of the file, each understood or with its mistakes.
fn chunk(import: &Import<'_>, file: &mut Receipts) -> anyhow::Result<Option<Vec<Item<Receipt>>>> {
    let (currency, now) = (import.programme.currency, import.clock.now());
    let (mut items, mut lines) = (Vec::new(), 0);
    while items.len() < CHUNK && lines < LINES {
        let Some(raw) = file.next()? else { break };
        lines += raw.lines.len();
        items.push(Item { at: raw.at, rows: raw.rows, what: receipts::parse(raw, currency, now) });
    }
    Ok((!items.is_empty()).then_some(items))
}

/// Finds the members and stores that receipts name.
fn resolve(import: &mut Import<'_>, chunk: Vec<Item<Receipt>>) -> anyhow::Result<Vec<Item<Ready>>> {
    let mut named: Vec<&str> =
        chunk.iter().filter_map(|item| item.what.as_ref().ok()).map(|receipt| receipt.member.as_str()).collect();
    named.sort_unstable();
    named.dedup();
    let found = lookup::members(import.conn, &named)?;
    let members: HashMap<String, Found> =
        found.into_iter().filter_map(|found| Some((found.external_id.clone()?, found))).collect();
    let now = import.clock.now();
    let mut ready = Vec::with_capacity(chunk.len());
    for Item { at, rows, what } in chunk {
        let what = match what {
            Ok(receipt) => {
                let store = import.shops.find(import.conn, &receipt.store, now)?;
                let store = store.map_err(|(code, detail)| RowError::new(at, "store", code, detail));
                let member = members.get(&receipt.member).cloned().ok_or_else(|| {
                    let code = Code::MemberUnknown.as_str();
                    RowError::new(at, "member", code, "no member has this external id")
                });
                match (member, store) {
                    (Ok(member), Ok((code, id))) => Ok(ready_of(member, id, code, receipt)),
                    (member, store) => Err(member.err().into_iter().chain(store.err()).collect()),
                }
            }
            Err(errors) => Err(errors),
        };
        ready.push(Item { at, rows, what });
    }
    Ok(ready)
}

fn ready_of(member: Found, store: tessera_rules::id::StoreId, code: String, receipt: Receipt) -> Ready {
    let id = MemberId::new(member.id);
    let purchase = Purchase {
        id: PurchaseId::new(new_uuid()),
        store,
        store_code: code.clone(),
        source: code,
        external_id: receipt.external_id,
        occurred_at: Some(receipt.occurred_at),
        currency: receipt.currency,
        content: Purchase::content_of(id, receipt.currency, &receipt.lines, &[], None),
        redeem: None,
        channel: receipt.channel,
        wallet: None,
        pricing: None,
        lines: receipt.lines,
        tenders: Vec::new(),
    };
    Ready { member, purchase }
}

fn refused(at: u64, refusal: &Refusal) -> RowError {
    let column = match refusal {
        Refusal::MemberUnknown | Refusal::MemberFrozen => "member",
        Refusal::CurrencyMismatch { .. } => "currency",
        _ => "",
    };
    RowError::new(at, column, Problem::from(refusal).code().as_str(), refusal.to_string())
}

fn conflict(at: u64) -> RowError {
    let code = Code::DuplicateExternalId.as_str();
    RowError::new(at, "external_id", code, "the store has another receipt with this number")
}

/// Receipts on their way through the engine, in the order of the file.
#[derive(Default)]
struct Sent {
    waiting: VecDeque<(usize, Item<Answer>)>,
    lines: usize,
}

impl Sent {
    /// Sends a receipt, and waits for the oldest where there are many on their way. One that is not
    /// sent takes its place in the row, so that mistakes are listed in the order of the file.
    fn send(&mut self, import: &mut Import<'_>, item: Item<Ready>) -> anyhow::Result<()> {
        let Item { at, rows, what } = item;
        let lines = what.as_ref().map_or(1, |ready| ready.purchase.lines.len());
        let what = what.map(|Ready { member, purchase }| {
            let occurred_at = purchase.occurred_at.unwrap_or(member.enrolled_at);
            import.engine.submit_blocking(Submission {
                member: MemberId::new(member.id),
                command: Command::Purchase(purchase),
                actor: Actor::IMPORT,
                time: Time::Past(occurred_at),
                claim: None,
                audit: None,
                render: render(None),
            })
        });
        self.lines += lines;
        self.waiting.push_back((lines, Item { at, rows, what }));
        while self.lines > LINES {
            self.one(import)?;
        }
        self.wait(import, WINDOW)
    }

    /// Waits until at most `most` are on their way.
    fn wait(&mut self, import: &mut Import<'_>, most: usize) -> anyhow::Result<()> {
        while self.waiting.len() > most {
            self.one(import)?;
        }
        Ok(())
    }

    fn one(&mut self, import: &mut Import<'_>) -> anyhow::Result<()> {
        let Some((lines, Item { at, rows, what })) = self.waiting.pop_front() else { return Ok(()) };
        self.lines -= lines;
        let answer = match what {
            Ok(answer) => answer.blocking_recv().unwrap_or(Err(Failure::Unavailable)),
            Err(errors) => return import.report.reject(rows, &errors),
        };
        match answer {
            Ok(Reply::Decided { outcome: Ok(_), .. }) => import.report.accept(rows),
            Ok(Reply::Known(_) | Reply::Replayed(_)) => import.report.duplicate(rows),
            Ok(Reply::Decided { outcome: Err(refusal), .. }) => import.report.reject(rows, &[refused(at, &refusal)])?,
            Err(Failure::ReceiptConflict) => import.report.reject(rows, &[conflict(at)])?,
            Err(Failure::Internal(_)) => {
                let error = RowError::new(at, "", Code::Internal.as_str(), "could not be stored: see the log");
                import.report.reject(rows, &[error])?;
            }
            Err(failure) => {
                import.report.finish()?;
                anyhow::bail!("stopped at line {at}: {failure}; start again with the same file to go on");
            }
        }
        Ok(())
    }
}

/// A dry run: every receipt meets the same rules, and nothing is written. Whether a receipt is taken
/// depends on its cells, its member, its store and its number, never on a balance: so each is decided
/// on its member as if it were the first.
struct Rehearsal {
    seen: Seen,
}

impl Rehearsal {
    fn decide(&mut self, import: &mut Import<'_>, chunk: Vec<Item<Ready>>) -> anyhow::Result<()> {
        let mut known = self.known(import, &chunk)?;
        let (mut names, mut contents) = (Vec::new(), Vec::new());
        for Item { at, rows, what } in chunk {
            let Ready { member, purchase } = match what {
                Ok(ready) => ready,
                Err(errors) => {
                    import.report.reject(rows, &errors)?;
                    continue;
                }
            };
            let (name, content) = (name_of(&purchase), content_of(&purchase));
            match known.get(&name) {
                Some(earlier) if *earlier == content => import.report.duplicate(rows),
                Some(_) => import.report.reject(rows, &[conflict(at)])?,
                None => match rehearse(import, &member, purchase) {
                    Ok(()) => {
                        import.report.accept(rows);
                        known.insert(name.clone(), content.clone());
                        names.push(name);
                        contents.push(content);
                    }
                    Err(refusal) => import.report.reject(rows, &[refused(at, &refusal)])?,
                },
            }
        }
        Ok(self.seen.note(import.conn, &names, &contents)?)
    }

    /// What is on record, or stood further up in the file, under the numbers of these receipts.
    fn known(&self, import: &mut Import<'_>, chunk: &[Item<Ready>]) -> anyhow::Result<HashMap<String, Vec<u8>>> {
        let ready: Vec<&Purchase> =
            chunk.iter().filter_map(|item| item.what.as_ref().ok()).map(|ready| &ready.purchase).collect();
        let names: Vec<String> = ready.iter().map(|purchase| name_of(purchase)).collect();
        let mut known: HashMap<String, Vec<u8>> = self.seen.look(import.conn, &names)?.into_iter().collect();
        let mut by_source: HashMap<&str, Vec<&str>> = HashMap::new();
        for purchase in &ready {
            by_source.entry(&purchase.source).or_default().push(&purchase.external_id);
        }
        let times: HashMap<String, Option<i64>> = ready
            .iter()
            .map(|purchase| (name_of(purchase), purchase.occurred_at.map(|at| at.timestamp_micros())))
            .collect();
        for (source, numbers) in by_source {
            for receipt in lookup::receipts(import.conn, source, &numbers)? {
                let name = format!("{source}/{}", receipt.external_id);
                // Where the till named no time, any time is the same.
                let named = receipt.occurred_named.then(|| receipt.occurred_at.timestamp_micros());
                let micros = named.or(times.get(&name).copied().flatten()).unwrap_or_default();
                known.insert(name, [receipt.content.as_slice(), &micros.to_be_bytes()].concat());
            }
        }
        Ok(known)
    }
}

/// A source holds no `/`.
fn name_of(purchase: &Purchase) -> String {
    format!("{}/{}", purchase.source, purchase.external_id)
}

fn content_of(purchase: &Purchase) -> Vec<u8> {
    let micros = purchase.occurred_at.map_or(0, |at| at.timestamp_micros());
    [purchase.content.as_slice(), &micros.to_be_bytes()].concat()
}

fn rehearse(import: &Import<'_>, member: &Found, purchase: Purchase) -> Result<(), Refusal> {
    let id = MemberId::new(member.id);
    let standing = Standing { frozen: member.frozen, ..Standing::new(id, member.enrolled_at) };
    let mut state = State::default();
    state.members.insert(id, MemberState::new(standing));
    let context = Context {
        now: purchase.occurred_at.unwrap_or(member.enrolled_at),
        actor: Actor::IMPORT,
        programme_version: import.version,
        historic: true,
        seed: None,
    };
    decide(import.programme, &state, id, &Command::Purchase(purchase), &context).map(drop)
}
