//! Row 8: points spent from 1 to 5 lots, soonest-expiring first.
//!
//! At a till a redemption needs the code on the member's card, and each code spends once. So that who
//! asks need not work out a code for each member, all members of this house have one secret. A member
//! spends the code of the half minute before and then the one of now, as a till allows.

use std::cell::RefCell;

use serde_json::json;

use super::house::{self, House};
use super::load::Dice;
use super::pgbench::Pgbench;
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};
use super::{http, load};
use crate::access::otp::{STEP_SECONDS, code_at, step_at};
use crate::clock::Clock;
use crate::store::bench::execute;

/// Keep-alive connections over HTTP.
const CONNECTIONS: usize = 64;
/// Seconds of asking that the points and codes of as many members as other rows have last for.
const LASTING: f64 = 15.0;
/// Lots of 100 points each member has to begin with.
const LOTS: u32 = 8;
/// Lots each account of pgbench has: it draws accounts at random, and must find points on all of them.
const THEIRS: u32 = 25;
/// How long a redemption may be on its way, in seconds.
const MARGIN: i64 = 4;
/// What the members' cards show codes with.
const SECRET: [u8; 20] = *b"a secret of benchers";

/// Row 8.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let mut programme = house::demo()?;
    programme["redemption"] = json!({ "rate": { "points": 100, "per": 100 }, "minimum": 100, "step": 100 });
    programme["promotions"] = json!([]);
    programme["earning"]["rules"] = json!([]);
    let pgbench = Pgbench::redemptions(stage, THEIRS)?;
    let asking = (stage.plan.warm_up + stage.plan.measured) * (stage.plan.rounds + 1);
    let times = (asking.as_secs_f64() / LASTING).ceil().max(1.0) as u32;
    house::furnish_for(stage, "spent", &programme, stage.plan.members * times.min(3))?;
    let house = House::serve(stage, "spent", "spent", &[])?;
    let secret: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let one_secret = format!("update member_credential set otp_secret = '\\x{secret}'");
    execute(&stage.owner_url(&house.database), &one_secret)?;
    fund(&house)?;
    execute(&stage.owner_url(&house.database), "vacuum analyze")?;
    stage.checkpoint()?;
    let wallets = RefCell::new(Wallets::of(house.members.len()));
    let turns = Turns::take(
        stage.plan,
        &mut || {
            let mut wallets = wallets.borrow_mut();
            load::run(stage, &house, CONNECTIONS, &mut |request, dice| wallets.spend(request, &house, dice))
        },
        &mut || pgbench.run(stage),
    )?;
    Ok(turns.sample(Cell::rate, "/s", ""))
}

/// Each member buys for 100 points so many times.
fn fund(house: &House) -> anyhow::Result<()> {
    let mut turns = (0..LOTS).flat_map(|_| 0..house.members.len());
    load::all(house, 256, &mut |request, dice| match turns.next() {
        None => Ok(false),
        Some(member) => {
            http::purchase(request, house, member, r#"{"quantity":1,"amount":10000}"#, dice)?;
            Ok(true)
        }
    })
}

/// What each member has left.
struct Wallets {
    /// Lots, and the last step whose code was spent.
    members: Vec<(u64, i64)>,
    next: usize,
    /// The codes of a step and of the one before.
    codes: (i64, [String; 2]),
    clock: Clock,
}

impl Wallets {
    fn of(members: usize) -> Self {
        let codes = (0, [String::new(), String::new()]);
        Self { members: vec![(LOTS.into(), 0); members], next: 0, codes, clock: Clock::wall() }
    }

    /// Spends the points of 1 to 5 lots of the next member who has some and an unspent code; false when
    /// nobody has.
    fn spend(&mut self, request: &mut Vec<u8>, house: &House, dice: &mut Dice) -> anyhow::Result<bool> {
        let (oldest, step) = self.look_at_clock()?;
        for _ in 0..self.members.len() {
            let member = self.next;
            self.next = (member + 1) % self.members.len();
            let (lots, spent) = &mut self.members[member];
            if *lots == 0 || *spent >= step {
                continue;
            }
            let taken = (1 + dice.below(5)).min(*lots);
            *lots -= taken;
            *spent = (*spent + 1).max(oldest);
            let otp = &self.codes.1[usize::from(*spent < step)];
            let (id, points) = (&house.members[member], taken * 100);
            let body = format!(r#"{{"member_id":"{id}","points":{points},"authorisation":{{"otp":"{otp}"}}}}"#);
            http::post(request, "/v1/till/redemptions", &house.token, dice, &body)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The steps whose codes are taken: while a step ends, its code alone, for the one before may come too late.
    fn look_at_clock(&mut self) -> anyhow::Result<(i64, i64)> {
        let now = self.clock.wall_now();
        let step = step_at(now);
        if self.codes.0 != step {
            let before = now - chrono::TimeDelta::seconds(STEP_SECONDS);
            self.codes = (step, [code_at(&SECRET, now)?.digits, code_at(&SECRET, before)?.digits]);
        }
        let ends = step_at(now + chrono::TimeDelta::seconds(MARGIN)) > step;
        Ok((if ends { step } else { step - 1 }, step))
    }
}
