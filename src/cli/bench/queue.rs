//! Rows 4 and 5: what the queue gives a busy server, and what it costs a single client.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use tessera_rules::amount::{Currency, Minor, Quantity};
use tessera_rules::command::{Line, Purchase};
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::{Actor, Command};

use super::accruals::uniform;
use super::cpu::Reading;
use super::house::{self, House, STORE};
use super::load::{Dice, percentile};
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns, median};
use crate::api::till::purchases::render;
use crate::clock::{Clock, new_uuid};
use crate::config::Settings;
use crate::engine::{Alone, Claim, Engine, Failure, Reply, Submission, Time};
use crate::store::Pool;
use crate::store::shop::{self, ShopRow};

/// Keep-alive connections of row 4.
const CONNECTIONS: usize = 64;

/// Row 4: U is a server that commits one command at a time.
pub(super) fn p99(stage: &mut Stage) -> anyhow::Result<Sample> {
    let plain = stage.plain()?;
    let stage = &*stage;
    let one_by_one = House::open(stage, "one_by_one", &house::demo()?, &[("TESSERA__ENGINE__BATCH_LIMIT", "1")])?;
    let turns = Turns::take(stage.plan, &mut || uniform(stage, &plain, CONNECTIONS), &mut || {
        uniform(stage, &one_by_one, CONNECTIONS)
    })?;
    let more = format!("; {:.0}/s against {:.0}/s", median(&turns.ours, Cell::rate), median(&turns.theirs, Cell::rate));
    Ok(turns.sample(Cell::p99, "ms", &more))
}

/// Row 5: the engine with its queue and threads, and the same calls in the client's own thread; both
/// in this process, without HTTP, which would hide the difference.
pub(super) fn alone(stage: &mut Stage) -> anyhow::Result<Sample> {
    let plain = stage.plain()?;
    let stage = &*stage;
    house::furnish(stage, "alone", &house::demo()?)?;
    let url = stage.app_url("alone");
    let pool = Pool::connect_patient(&url, 1)?;
    let members = pool.blocking(crate::store::bench::members)?;
    let shop = pool.blocking(|conn| shop::by_code(conn, STORE))?;
    let shop = shop.ok_or_else(|| anyhow::anyhow!("the store is missing"))?;
    // As they are shipped.
    let settings = Settings::load_from(Path::new("/nonexistent"), HashMap::new())?;
    let engine = Engine::start(&url, pool.clone(), Clock::wall(), &settings.engine)?;
    let currency = "CNY".parse()?;
    let mut direct = Alone::new(&url, Clock::wall());
    let mut buyer = Buyer { members: &members, shop: &shop, currency, dice: Dice::new(5) };
    let mut again = Buyer { members: &members, shop: &shop, currency, dice: Dice::new(6) };
    let turns = Turns::take(
        stage.plan,
        &mut || {
            one_client(stage, &mut || {
                let answer = engine.submit_blocking(buyer.purchase()).blocking_recv();
                answer.unwrap_or(Err(Failure::Unavailable))
            })
        },
        &mut || one_client(stage, &mut || direct.submit(again.purchase())),
    )?;
    engine.drain();
    let over_http = uniform(stage, &plain, 1)?;
    let more = format!("; over HTTP {:.2} ms", over_http.p50);
    let sample = turns.sample(Cell::p50, "ms", &more);
    // This process is the server.
    Ok(Sample { cpu_us: median(&turns.ours, Cell::asked), ..sample })
}

/// One purchase after the other.
fn one_client(stage: &Stage, buy: &mut dyn FnMut() -> Result<Reply, Failure>) -> anyhow::Result<Cell> {
    let warm = Instant::now() + stage.plan.warm_up;
    let end = warm + stage.plan.measured;
    let mut before: Option<Reading> = None;
    let mut micros = Vec::new();
    loop {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        if before.is_none() && asked >= warm {
            before = Some(stage.meter.read(None)?);
            continue;
        }
        let reply = buy()?;
        anyhow::ensure!(matches!(reply, Reply::Decided { outcome: Ok(_), .. }), "a purchase was not taken: {reply:?}");
        if before.is_some() {
            micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    let before = before.map_or_else(|| stage.meter.read(None), Ok)?;
    let usage = stage.meter.between(&before, &stage.meter.read(None)?);
    micros.sort_unstable();
    let mut cell = Cell::whole(micros.len() as f64, usage);
    (cell.p50, cell.p99) = (percentile(&micros, 50), percentile(&micros, 99));
    Ok(cell)
}

/// Who buys in this process.
struct Buyer<'b> {
    members: &'b [MemberId],
    shop: &'b ShopRow,
    currency: Currency,
    dice: Dice,
}

impl Buyer<'_> {
    /// A receipt of one line, as over HTTP.
    fn purchase(&mut self) -> Submission {
        let at = usize::try_from(self.dice.below(self.members.len() as u64)).unwrap_or(0);
        let member = self.members[at];
        let amount = i64::try_from(1_900 + self.dice.below(12_000)).unwrap_or(1_900);
        let lines = vec![Line {
            sku: Some("BOOK-871".to_owned()),
            categories: vec!["books".to_owned()],
            quantity: Quantity::ONE,
            amount: Minor::new(amount).unwrap_or(Minor::ZERO),
        }];
        let currency = self.currency;
        let id = new_uuid();
        let purchase = Purchase {
            id: PurchaseId::new(id),
            store: self.shop.store(),
            store_code: self.shop.code.clone(),
            source: self.shop.code.clone(),
            external_id: id.to_string(),
            occurred_at: None,
            currency,
            content: Purchase::content_of(member, currency, &lines, &[], None),
            redeem: None,
            channel: None,
            wallet: None,
            pricing: None,
            lines,
            tenders: Vec::new(),
        };
        Submission {
            member,
            command: Command::Purchase(purchase),
            actor: Actor::IMPORT,
            time: Time::Live,
            claim: Some(Claim { caller: self.shop.id, key: id.to_string(), fingerprint: [0; 32] }),
            audit: None,
            render: render(None),
        }
    }
}
