//! Simulated years: ten thousand members live three programme years in memory, with the jobs of every
//! midnight; a few of them live the same years day by day through the engine and its jobs.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde_json::json;
use tessera::jobs;
use tessera_rules::amount::{Minor, Points, Quantity};
use tessera_rules::command::{
    Capture, Line, PayWithPoints, Purchase, Redeem, RedeemMode, Redeemed, Return, ReturnLine, ReturnPart, ReturnedGoods,
};
use tessera_rules::decision::Effect;
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId, ReturnId, StoreId};
use tessera_rules::lot::Lot;
use tessera_rules::member::DayTotals;
use tessera_rules::notice::foresee;
use tessera_rules::redemption::{Redemption, RedemptionStatus};
use tessera_rules::returns::Sold;
use tessera_rules::time::{BirthDate, add_days};
use tessera_rules::{Actor, Command, Context, Decision, MemberState, Outcome, Programme, Standing, State};
use uuid::Uuid;

use super::database::Database;
use super::reference::trial::Shop;
use crate::support::app::programme;

const MEMBERS: u64 = 10_000;
const DAYS: i64 = 3 * 365;
/// How many of them live through the engine too.
const SAMPLE: u64 = 12;
/// Days around a birthday on which the perk may be due.
const BIRTHDAY: i64 = 8;

/// Points that wait a week and lapse at the end of a month, or by inactivity on the second tier; tiers
/// by a sliding year, valid for a year, with grace; holds, money off, a birthday, notices.
fn document() -> Programme {
    let mut document = programme();
    document["earning"]["pending_days"] = json!(7);
    document["expiry"] = json!({"policy": "after", "months": 6, "round": "month"});
    document["redemption"] =
        json!({"rate": {"points": 10, "per": 100}, "minimum": 10, "step": 1, "hold_minutes": 3000});
    let tiers = &mut document["tiers"];
    tiers["validity"] = json!({"kind": "months", "months": 12});
    tiers["grace_days"] = json!(30);
    tiers["lots_on_change"] = json!("take");
    let levels = &mut tiers["levels"];
    (levels[1]["threshold"], levels[2]["threshold"]) = (json!(1_500), json!(2_500));
    levels[1]["expiry"] = json!({"policy": "inactivity", "months": 3});
    document["perks"][0]["windows"] = json!([{"before_days": BIRTHDAY - 1, "after_days": BIRTHDAY - 1}]);
    document["notices"] = json!({"expiry_days": [30, 7, 1], "tier_days": [30]});
    serde_json::from_value(document).expect("a programme")
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2031, 5, 1).expect("a day")
}

/// What a member does in his years: it depends on his number alone, not on what comes of it.
struct Life {
    dice: u64,
    id: MemberId,
    store: StoreId,
    ids: u128,
    sales: Vec<PurchaseId>,
    redemptions: Vec<RedemptionId>,
}

impl Life {
    fn new(number: u64, id: MemberId, store: StoreId) -> Self {
        let ids = (u128::from(number) + 1) << 64;
        Self { dice: number, id, store, ids, sales: Vec::new(), redemptions: Vec::new() }
    }

    fn birth_date(number: u64) -> BirthDate {
        let month = 1 + (number % 12) as u32;
        BirthDate { year: None, month, day: if number.is_multiple_of(12) { 31 } else { 1 + (number % 28) as u32 } }
    }

    /// SplitMix64.
    fn below(&mut self, n: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn number(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let i = self.below(list.len().max(1) as u64);
        list.get(i as usize).copied()
    }

    /// What he does on a day that begins at `midnight`, in order.
    fn day(&mut self, midnight: DateTime<Utc>) -> Vec<(DateTime<Utc>, Command)> {
        let mut done = Vec::new();
        // Some come every week, some every other month; nobody comes in the dark third of his year.
        let habit = 7 + self.ids.rotate_right(64) as u64 % 50;
        let away = (midnight.ordinal0() as u64 + self.ids.rotate_right(64) as u64 * 37) % 365 < 120;
        if away {
            return done;
        }
        let mut at = midnight + TimeDelta::minutes(8 * 60 + self.below(200) as i64);
        if self.below(habit) == 0 {
            let id = self.number();
            done.push((at, Command::Purchase(self.purchase(id, at))));
        }
        at += TimeDelta::minutes(1 + self.below(200) as i64);
        let command = match self.below(40 * habit / 7) {
            0 | 1 => {
                let (id, points) = (RedemptionId::new(self.number()), 20 + self.below(60) as i64);
                let mode = if self.below(2) == 0 { RedeemMode::Hold } else { RedeemMode::Capture };
                self.redemptions.push(id);
                let what = Redeemed::MoneyOff(Points::new(points).expect("points"));
                Some(Command::Redeem(Redeem { id, store: None, what, mode, otp_step: None }))
            }
            2 | 3 => self.bring_back(),
            4 => {
                let last = self.redemptions.last().copied();
                last.map(|redemption| Command::Capture(Capture { redemption, points: None }))
            }
            5 => {
                let list = self.redemptions.clone();
                self.one_of(&list).map(Command::Void)
            }
            _ => None,
        };
        done.extend(command.map(|command| (at, command)));
        done
    }

    fn purchase(&mut self, id: Uuid, at: DateTime<Utc>) -> Purchase {
        let lines: Vec<Line> = (0..1 + self.below(3))
            .map(|_| Line {
                sku: None,
                categories: if self.below(4) == 0 { vec!["coffee".to_owned()] } else { Vec::new() },
                quantity: Quantity::from_units(1_000 * (1 + self.below(3) as i64)),
                amount: Minor::new(500 + self.below(12_000) as i64).expect("an amount"),
            })
            .collect();
        let pays = (self.below(8) == 0).then(|| Points::new(10 + self.below(30) as i64).expect("points"));
        let redeem = pays.map(|points| PayWithPoints { id: RedemptionId::new(self.number()), points, otp_step: None });
        let occurred_at = (self.below(10) == 0).then(|| at - TimeDelta::hours(self.below(700) as i64));
        let currency = "CNY".parse().expect("a currency");
        self.sales.push(PurchaseId::new(id));
        Purchase {
            id: PurchaseId::new(id),
            store: self.store,
            store_code: "west".to_owned(),
            source: "west".to_owned(),
            external_id: id.to_string(),
            occurred_at,
            currency,
            content: Purchase::content_of(self.id, currency, &lines, &[], pays),
            lines,
            tenders: Vec::new(),
            redeem,
            channel: None,
            wallet: None,
            pricing: None,
        }
    }

    fn bring_back(&mut self) -> Option<Command> {
        let late: Vec<PurchaseId> = self.sales.iter().rev().take(4).copied().collect();
        let purchase = self.one_of(&late)?;
        let goods = match self.below(3) {
            0 => ReturnedGoods::All,
            1 => ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: ReturnPart::Rest }]),
            _ => ReturnedGoods::Lines(vec![ReturnLine { line: 1, part: ReturnPart::Quantity(Quantity::ONE) }]),
        };
        let (id, content) = (self.number(), Return::content_of(purchase, &goods));
        let (source, external_id, reason) = ("west".to_owned(), id.to_string(), "unwanted".to_owned());
        Some(Command::Return(Return {
            id: ReturnId::new(id),
            purchase,
            elsewhere: false,
            source,
            external_id,
            goods,
            reason,
            content,
        }))
    }
}

/// A member in memory. What no command needs lies on the shelf, so that a decision copies little.
struct Lived<'p> {
    programme: &'p Programme,
    version: i64,
    id: MemberId,
    state: State,
    lots: BTreeMap<i64, Lot>,
    redemptions: BTreeMap<RedemptionId, Redemption>,
    sales: BTreeMap<PurchaseId, Sold>,
    /// From when on he may have to be told something; absent: it is not known.
    watch: Option<Option<DateTime<Utc>>>,
}

impl<'p> Lived<'p> {
    fn new(programme: &'p Programme, version: i64, number: u64, id: MemberId) -> Self {
        let start = programme.time_zone.midnight(first_day());
        let mut member = MemberState::new(Standing::new(id, start));
        member.birth_date = Some(Life::birth_date(number));
        let state = State { members: BTreeMap::from([(id, member)]), ..State::default() };
        let (lots, redemptions, sales) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { programme, version, id, state, lots, redemptions, sales, watch: None }
    }

    fn member(&mut self) -> &mut MemberState {
        self.state.members.get_mut(&self.id).expect("the member")
    }

    fn context(&self, now: DateTime<Utc>) -> Context {
        Context { now, actor: Actor::IMPORT, programme_version: self.version, historic: true, seed: None }
    }

    fn act(&mut self, at: DateTime<Utc>, command: &Command) {
        let by_the_clock = matches!(command, Command::Settle | Command::GrantPerks | Command::Notify);
        let actor = if by_the_clock { Actor::SYSTEM } else { Actor::IMPORT };
        self.unshelve(command);
        let context = Context { actor, ..self.context(at) };
        if let Ok(decision) = tessera_rules::decide(self.programme, &self.state, self.id, command, &context) {
            self.watch = None;
            self.state.enact(self.id, &decision).expect("in range");
            self.remember(&decision);
        }
        self.shelve(at);
    }

    fn remember(&mut self, decision: &Decision) {
        if let Outcome::Purchase(bought) = &decision.outcome {
            let record = decision.effects.iter().find_map(|effect| match effect {
                Effect::Purchase(record) => Some(record),
                _ => None,
            });
            let lots = bought.lots.iter().map(|lot| lot.number).collect();
            let record = record.expect("a purchase is on record");
            let sold = Sold::new(record, bought.recorded_at, bought.explanation.clone(), lots);
            self.sales.insert(bought.id, sold);
        }
    }

    /// Brings what the engine would load for a command: the sale and the redemption that it is about, and
    /// the lots of both.
    fn unshelve(&mut self, command: &Command) {
        let member = self.state.members.get_mut(&self.id).expect("the member");
        let (sale, mut redemption) = match command {
            Command::Return(goods) => (self.sales.remove_entry(&goods.purchase), None),
            Command::Capture(Capture { redemption, .. }) | Command::Void(redemption) => (None, Some(*redemption)),
            _ => return,
        };
        if let Some((id, sold)) = sale {
            move_where(&mut self.lots, &mut member.lots, |lot| sold.lots.contains(&lot.origin.unwrap_or(lot.number)));
            redemption = sold.redemption;
            member.sales.insert(id, sold);
        }
        if let Some((id, made)) = redemption.and_then(|id| self.redemptions.remove_entry(&id)) {
            move_where(&mut self.lots, &mut member.lots, |lot| made.bites.iter().any(|bite| bite.lot == lot.number));
            member.redemptions.insert(id, made);
        }
    }

    fn shelve(&mut self, at: DateTime<Utc>) {
        let member = self.state.members.get_mut(&self.id).expect("the member");
        let from = member.standing.window_from;
        member.days.retain(|day, _| *day >= from);
        member.notices.retain(|notice| notice.due_at > at);
        self.sales.append(&mut member.sales);
        move_where(&mut member.lots, &mut self.lots, |lot| lot.remaining.is_zero() && lot.held.is_zero());
        let over = |redemption: &Redemption| redemption.status != RedemptionStatus::Held;
        move_where(&mut member.redemptions, &mut self.redemptions, over);
    }

    /// The jobs of a midnight, in their order.
    fn midnight(&mut self, at: DateTime<Utc>, birthday: bool) {
        if self.member().standing.due_at().is_some_and(|due| due <= at) {
            self.act(at, &Command::Settle);
        }
        if birthday {
            self.act(at, &Command::GrantPerks);
        }
        if self.watch.is_none_or(|watch| watch.is_some_and(|next| next <= at)) {
            let member = &self.state.members[&self.id];
            let foreseen = foresee(self.programme, member, &self.context(at)).expect("in range");
            if foreseen.due {
                self.act(at, &Command::Notify);
            } else {
                self.watch = Some(foreseen.next_at);
            }
        }
    }

    /// Lives all the years.
    fn live(&mut self, number: u64, life: &mut Life) {
        let zone = self.programme.time_zone;
        for day in (0..DAYS).map(|day| add_days(first_day(), day)) {
            let midnight = zone.midnight(day);
            self.midnight(midnight, near_birthday(number, day));
            for (at, command) in life.day(midnight) {
                self.act(at, &command);
            }
        }
        self.act(zone.midnight(add_days(first_day(), DAYS)), &Command::Settle);
    }
}

/// Moves what fits from one map to the other.
fn move_where<K: Copy + Ord, V>(from: &mut BTreeMap<K, V>, to: &mut BTreeMap<K, V>, fits: impl Fn(&V) -> bool) {
    let keys: Vec<K> = from.iter().filter(|(_, value)| fits(value)).map(|(key, _)| *key).collect();
    to.extend(keys.iter().filter_map(|key| from.remove_entry(key)));
}

/// Whether a day lies near a birthday, this year's or the next one's.
fn near_birthday(number: u64, day: NaiveDate) -> bool {
    let born = Life::birth_date(number);
    (day.year() - 1..=day.year() + 1).any(|year| {
        let birthday = born.kept_in(year, tessera_rules::time::LeapDay::February28);
        birthday.is_some_and(|birthday| (birthday - day).num_days().abs() <= BIRTHDAY)
    })
}

#[test]
#[ignore = "takes minutes in a debug build: the release step of .ci/run runs it"]
fn ten_thousand_members_live_three_years() {
    let _turn = super::alone();
    let begun = std::time::Instant::now();
    let document = document();
    let live = |first: u64| {
        let (mut entries, mut changes) = (0, 0);
        for number in (first..MEMBERS).step_by(2) {
            let id = MemberId::new(Uuid::from_u128(u128::from(number) + 1));
            let mut member = Lived::new(&document, 1, number, id);
            member.live(number, &mut Life::new(number, id, StoreId::new(Uuid::from_u128(1))));
            let standing = &member.member().standing;
            (entries, changes) = (entries + standing.entries, changes + standing.tier_changes);
        }
        (entries, changes)
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(|| live(0)), scope.spawn(|| live(1)));
        (one.join().expect("three years"), other.join().expect("three years"))
    });
    let took = begun.elapsed();
    assert!(one.0 + other.0 > 100 * MEMBERS as i64, "much has happened: {one:?} {other:?}");
    assert!(one.1 + other.1 > MEMBERS as i64 / 2, "tiers have changed: {one:?} {other:?}");
    eprintln!("three years of {MEMBERS} members took {took:?}");
}

#[test]
#[ignore = "takes minutes in a debug build: the release step of .ci/run runs it"]
fn who_lives_day_by_day_through_the_engine_ends_alike() {
    let document = document();
    let zone = document.time_zone;
    let mut shop = Database::open(document.clone());
    let (_, store) = shop.open();
    shop.adopt(&document);
    let start = zone.midnight(first_day());
    let enrol = |number| {
        let id = shop.member(start, Some(Life::birth_date(number)));
        (number, id, Life::new(number, id, store))
    };
    let mut members: Vec<(u64, MemberId, Life)> = (0..SAMPLE).map(enrol).collect();
    let in_force = jobs::programme(&shop.engine).expect("the programme");
    for day in (0..=DAYS).map(|day| add_days(first_day(), day)) {
        let midnight = zone.midnight(day);
        jobs::work(&shop.engine, &in_force, midnight, &mut || true).expect("the jobs");
        if day == add_days(first_day(), DAYS) {
            break;
        }
        for (_, id, life) in &mut members {
            for (at, command) in life.day(midnight) {
                // A refusal is as good as any other answer: both get it.
                drop(shop.order(*id, &command, at));
            }
        }
    }
    let end = zone.midnight(add_days(first_day(), DAYS));
    for (number, id, _) in members {
        let mut lived = Lived::new(&document, in_force.version, number, id);
        lived.live(number, &mut Life::new(number, id, store));
        let found = shop.look(id, end);
        let expected = lived.member();
        let plain = |standing: &Standing| {
            // What the days of a window were given is not stored with it.
            let window = DayTotals { given: 0, ..standing.window };
            Standing { recorded_at: end, window, ..standing.clone() }
        };
        assert_eq!(plain(&found.standing), plain(&expected.standing), "member {number}");
        let open =
            |lots: &BTreeMap<i64, Lot>| lots.values().copied().filter(|lot| lot.remaining.is_positive()).collect();
        let (found, expected): (Vec<Lot>, Vec<Lot>) = (open(&found.lots), open(&expected.lots));
        assert_eq!(found, expected, "member {number}");
    }
    shop.verify();
}
