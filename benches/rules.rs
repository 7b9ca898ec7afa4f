//! How long the rulebook takes to decide: what is left of a command without database and HTTP.
//!
//! ```text
//! cargo bench --bench rules
//! ```
//!
//! Each line is the median of rounds of a twentieth of a second, in nanoseconds per call. What the whole
//! product does is measured by `tessera bench`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tessera_rules::amount::{Minor, Points, Quantity};
use tessera_rules::command::{Line, Purchase, Redeem, RedeemMode, Redeemed};
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::{Actor, Command, Context, MemberState, Programme, Standing, State, decide};
use uuid::Uuid;

const DEMO: &str = include_str!("../config/programmes/demo.toml");
const ROUND: Duration = Duration::from_millis(50);
const ROUNDS: usize = 21;

/// A multiplier, points from an amount on, and a condition.
fn busy(promotions: usize) -> String {
    let one = |i: usize| {
        let asks = match i % 3 {
            0 => "categories = [\"tea\"]\neffect = { kind = \"multiply\", by = \"1.5\" }".to_owned(),
            1 => format!("minimum_spend = {}\neffect = {{ kind = \"add\", points = 5 }}", 1_000 * i),
            _ => format!("when = \"member.purchases > {i}\"\neffect = {{ kind = \"add\", points = 1 }}"),
        };
        format!("\n[[promotions]]\ncode = \"promotion-{i}\"\nname = \"Promotion {i}\"\npriority = {i}\n{asks}\n")
    };
    (0..promotions).map(one).collect()
}

/// A programme, a member who has bought so often, and the time.
struct Scene {
    programme: Programme,
    state: State,
    member: MemberId,
    context: Context,
}

impl Scene {
    fn set(more: &str, purchases: u128) -> Self {
        let programme: Programme = toml::from_str(&format!("{DEMO}{more}")).expect("a programme");
        let now = "2027-03-02T04:00:00Z".parse().expect("an instant");
        let member = MemberId::new(Uuid::from_u128(7));
        let members = BTreeMap::from([(member, MemberState::new(Standing::new(member, now)))]);
        let context = Context { now, actor: Actor::SYSTEM, programme_version: 1, historic: false, seed: None };
        let mut scene = Self { programme, state: State { members, ..State::default() }, member, context };
        for i in 0..purchases {
            let decision = scene.decide(&scene.purchase(i, 1));
            scene.state.enact(member, &decision).expect("what was decided can be applied");
        }
        scene
    }

    /// As for a plain purchase, which needs no lots.
    fn without_lots(mut self) -> Self {
        self.state.members.values_mut().for_each(|member| member.lots.clear());
        self
    }

    fn decide(&self, command: &Command) -> tessera_rules::Decision {
        decide(&self.programme, &self.state, self.member, command, &self.context).expect("it is not refused")
    }

    fn purchase(&self, number: u128, lines: usize) -> Command {
        let line = |i: usize| Line {
            sku: Some(["TEA-114", "APL-002", "BOOK-871"][i % 3].to_owned()),
            categories: vec![["tea", "fresh", "books"][i % 3].to_owned()],
            quantity: Quantity::ONE,
            amount: Minor::new(12_900).expect("in range"),
        };
        let lines: Vec<Line> = (0..lines).map(line).collect();
        let currency = self.programme.currency;
        Command::Purchase(Purchase {
            id: PurchaseId::new(Uuid::from_u128(1_000 + number)),
            store: StoreId::new(Uuid::from_u128(1)),
            store_code: "main".to_owned(),
            source: "main".to_owned(),
            external_id: format!("R-{number}"),
            occurred_at: None,
            currency,
            content: Purchase::content_of(self.member, currency, &lines, &[], None),
            lines,
            tenders: Vec::new(),
            channel: None,
            redeem: None,
            wallet: None,
            pricing: None,
        })
    }
}

fn report(name: &str, work: &mut dyn FnMut()) {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let (begun, mut calls) = (Instant::now(), 0);
            while begun.elapsed() < ROUND {
                work();
                calls += 1;
            }
            begun.elapsed().as_nanos() / calls
        })
        .collect();
    rounds.sort_unstable();
    eprintln!("{name:<44} {:>9} ns", rounds[ROUNDS / 2]);
}

fn main() {
    let plain = Scene::set("", 3).without_lots();
    let one = plain.purchase(100, 1);
    report("purchase of 1 line", &mut || drop(black_box(plain.decide(&one))));
    let nine = plain.purchase(100, 9);
    report("purchase of 9 lines", &mut || drop(black_box(plain.decide(&nine))));
    let busy = Scene::set(&busy(20), 3).without_lots();
    report("purchase of 9 lines, 20 promotions more", &mut || drop(black_box(busy.decide(&nine))));
    let saved = Scene::set("", 8);
    let spend = Command::Redeem(Redeem {
        id: RedemptionId::new(Uuid::from_u128(9)),
        store: None,
        what: Redeemed::MoneyOff(Points::new(600).expect("in range")),
        mode: RedeemMode::Capture,
        otp_step: None,
    });
    report("redemption from several lots", &mut || drop(black_box(saved.decide(&spend))));
    report("settling where nothing is due", &mut || drop(black_box(saved.decide(&Command::Settle))));
    report("reading the programme of the demo", &mut || {
        black_box(toml::from_str::<Programme>(DEMO)).expect("a programme");
    });
}
