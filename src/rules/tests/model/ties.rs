//! Members whose points are kept with others: households and accounts of one person. The model does not
//! tell what they come to; what must hold of them whatever happens is here.

use std::collections::BTreeSet;

use tessera_rules::command::{JoinPool, Merge};
use tessera_rules::id::MemberId;
use tessera_rules::ledger::Account;
use tessera_rules::{Command, Outcome, Refusal};

use super::memory::Memory;
use super::scene::{Act, Scene, Step, Tie};
use super::trial::{Shop, Trial};

impl Trial<'_, Memory> {
    /// A scene that is not compared with the model. Returns how many ties began or ended.
    pub(crate) fn run_tied(&mut self, scene: &Scene) -> u64 {
        let ties = scene.steps.iter().filter(|step| self.tied(step));
        ties.count() as u64
    }

    /// One step; whether it began or ended a tie.
    fn tied(&mut self, step: &Step) -> bool {
        self.wait(step.wait);
        match &step.act {
            Act::Tie(tie) => self.tie(step.who, *tie).is_ok(),
            act => {
                self.orders.0 += 1;
                self.orders.1 += u64::from(self.blind(step.who, act).is_err());
                self.sums();
                false
            }
        }
    }

    /// An act that the model is not told of.
    fn blind(&mut self, who: usize, act: &Act) -> Result<Outcome, Refusal> {
        let command = self.command(who, act);
        let outcome = self.shop.order(self.members[who].id, &command, self.now)?;
        match &command {
            Command::Purchase(purchase) => {
                self.members[who].sales.push(purchase.id);
                self.members[who].redemptions.extend(purchase.redeem.map(|pay| pay.id));
            }
            Command::Redeem(redeem) => self.members[who].redemptions.push(redeem.id),
            _ => {}
        }
        Ok(outcome)
    }

    /// Ties move points and make none: what all members have together stays the same, and who leaves
    /// takes along what is left of his own lots, no more and no less.
    fn tie(&mut self, who: usize, tie: Tie) -> Result<Outcome, Refusal> {
        for i in 0..self.members.len() {
            self.blind(i, &Act::Settle).expect("settling is never refused");
        }
        let (id, next) = (self.members[who].id, self.members[self.next(who)].id);
        let before = self.wealth();
        let own = self.shop.state.members[&id].lots.keys().copied().collect();
        let (left, had) = (self.left_of(id, &own), self.has(id));
        let command = match tie {
            Tie::Join(may_spend) => Command::JoinPool(JoinPool { head: next, may_spend }),
            Tie::Allow(may_spend) => Command::AllowSpending(may_spend),
            Tie::Leave => Command::LeavePool,
            Tie::Merge => Command::Merge(Merge { into: next }),
            Tie::Unmerge => Command::Unmerge,
        };
        let outcome = self.shop.order(id, &command, self.now);
        assert_eq!(self.wealth(), before, "{tie:?} makes and takes nothing");
        if outcome.is_ok() {
            match tie {
                Tie::Leave | Tie::Unmerge => assert_eq!(self.has(id) - had, left, "{tie:?}: what is left of his own"),
                Tie::Join(_) | Tie::Merge => {
                    let standing = &self.shop.state.members[&id].standing;
                    assert!(standing.available.is_zero() && standing.pending.is_zero(), "{tie:?}: all is handed over");
                }
                Tie::Allow(_) => {}
            }
        }
        self.sums();
        outcome
    }

    /// What stands in a member's own name, less what he owes.
    fn has(&self, id: MemberId) -> i64 {
        let standing = &self.shop.state.members[&id].standing;
        standing.pending.get() + standing.available.get() - standing.debt.get()
    }

    /// What all members have, less what they owe.
    fn wealth(&self) -> i64 {
        let members = self.shop.state.members.values();
        members.map(|member| self.has(member.standing.member) + member.standing.held.get()).sum()
    }

    /// What is left, with whoever keeps his points, of a member's lots.
    fn left_of(&self, id: MemberId, own: &BTreeSet<i64>) -> i64 {
        let members = &self.shop.state.members;
        let Some(link) = members[&id].standing.link else { return 0 };
        let kept = members[&link.root].lots.values().filter(|lot| {
            let parent = lot.parent.filter(|parent| parent.member == id);
            parent.is_some_and(|parent| own.contains(&parent.lot))
        });
        let here: i64 = kept.clone().map(|lot| lot.remaining.get()).sum();
        here + self.left_of(link.root, &kept.map(|lot| lot.number).collect())
    }

    /// What one member is given another gives.
    fn sums(&self) {
        let passed: i64 = self.shop.books().map(|books| books.balance(Account::Transferred)).sum();
        assert_eq!(passed, 0, "transfers sum to 0");
    }
}
