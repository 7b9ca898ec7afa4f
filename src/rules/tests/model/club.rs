//! All members, and what one does to another: gifts, purchases that were entered for the wrong one.

use std::collections::BTreeMap;

use super::book::{Book, Given};
use super::calendar::Instant;
use super::earn::Earned;
use super::goods::{Goods, Returned};
use super::keeping::Why;
use super::perks::Granted;
use super::points::Fate;
use super::{Brought, Member, No};

#[derive(Debug, Clone)]
pub(crate) struct Club {
    pub(crate) members: Vec<Member>,
}

impl Club {
    /// One thing that a member does, or that is done to him, together with whoever keeps his points.
    pub(crate) fn does<T>(
        &mut self,
        who: usize,
        now: Instant,
        what: impl FnOnce(&mut Member) -> Result<T, No>,
    ) -> Result<T, No> {
        self.count();
        let mut member = self.lift(who);
        member.settle_all(now);
        let told = what(&mut member)?;
        if member.keeper.is_some() {
            member.hand_over();
        }
        self.put(member);
        self.count();
        self.members.iter_mut().filter(|member| member.now == now).for_each(Member::term);
        Ok(told)
    }

    /// The same for what an account that was merged no longer does.
    pub(crate) fn begins<T>(
        &mut self,
        who: usize,
        now: Instant,
        what: impl FnOnce(&mut Member) -> Result<T, No>,
    ) -> Result<T, No> {
        if self.members[who].is_merged() { Err(No::Merged) } else { self.does(who, now, what) }
    }

    /// The member and, beside him, whoever keeps his points.
    pub(crate) fn lift(&self, who: usize) -> Member {
        let mut member = self.members[who].clone();
        member.beside = member.keeper.map(|(with, _)| Box::new(self.lift(with)));
        member
    }

    pub(crate) fn put(&mut self, mut member: Member) {
        if let Some(keeper) = member.beside.take() {
            self.put(*keeper);
        }
        let who = member.me;
        self.members[who] = member;
    }

    /// Notes for each member what others have that counts for him.
    fn count(&mut self) {
        for who in 0..self.members.len() {
            let (brought, lapsed_away) = (self.brought(who), self.lapsed_away(who));
            let others = self.members.iter().filter(|other| other.me != who);
            let used_elsewhere = others.flat_map(Member::used).collect();
            let member = &mut self.members[who];
            (member.brought, member.lapsed_away, member.used_elsewhere) = (brought, lapsed_away, used_elsewhere);
        }
    }

    /// What accounts merged into a member's bought counts for him, and what they were granted and had
    /// chosen; only a voucher of theirs is none here.
    fn brought(&self, who: usize) -> Brought {
        let merged = self.merged_into(who);
        let merged = || merged.iter().map(|&other| &self.members[other]);
        let direct = || self.members.iter().filter(|other| other.keeper == Some((who, Why::Merged)));
        let closed = |gift: &Granted| Granted {
            until: if gift.given == Given::Mug { gift.from } else { gift.until },
            ..gift.clone()
        };
        Brought {
            counted: merged().flat_map(|other| &other.sales).map(|sale| (sale.day, sale.counted)).collect(),
            earned: merged().map(|other| other.earned).sum(),
            uses: merged().flat_map(Member::used).collect(),
            gifts: direct().flat_map(|other| &other.gifts).map(closed).collect(),
            double_days: direct().flat_map(|other| other.double_days.clone()).collect(),
        }
    }

    /// Points of a member's sales that lapsed while somebody had them who does not keep his points.
    fn lapsed_away(&self, who: usize) -> BTreeMap<usize, i64> {
        let beside = self.chain(who);
        let others = self.members.iter().filter(|other| !beside.contains(&other.me));
        let lapsed = others.flat_map(|other| &other.points).filter(|point| point.fate == Fate::Expired);
        let mut sums = BTreeMap::new();
        for (whose, sale) in lapsed.filter_map(|point| point.sale) {
            if whose == who {
                *sums.entry(sale).or_insert(0) += 1;
            }
        }
        sums
    }

    /// The member, and whoever keeps his points.
    pub(crate) fn chain(&self, who: usize) -> Vec<usize> {
        let mut chain = vec![who];
        while let Some((with, _)) = self.members[*chain.last().expect("one")].keeper {
            chain.push(with);
        }
        chain
    }

    /// The accounts merged into a member's, and into those.
    fn merged_into(&self, who: usize) -> Vec<usize> {
        let into = |member: &&Member| member.keeper == Some((who, Why::Merged));
        let direct: Vec<usize> = self.members.iter().filter(into).map(|member| member.me).collect();
        let further: Vec<usize> = direct.iter().flat_map(|&other| self.merged_into(other)).collect();
        [direct, further].concat()
    }

    /// Points are given to another member, for good.
    pub(crate) fn give(&mut self, who: usize, to: usize, now: Instant, points: i64) -> Result<(), No> {
        let given = self.begins(who, now, |member| member.give(points))?;
        self.begins(to, now, |member| {
            member.arrive(&given, None);
            Ok(())
        })
    }

    /// A purchase was another member's: everything comes back from the one, and the other buys the same.
    pub(crate) fn pass(
        &mut self,
        who: usize,
        number: usize,
        to: usize,
        now: Instant,
    ) -> Result<(Returned, Earned), No> {
        let sale = self.members[who].sales[number].clone();
        let returned = self.does(who, now, |member| {
            member.may_pass(number)?;
            member.take_back(now, number, &Goods::All)
        })?;
        let bought = self.begins(to, now, |member| member.buy_at(&sale.receipt, sale.occurred))?;
        Ok((returned, bought))
    }

    pub(crate) fn adopt(&mut self, now: Instant, book: &Book) {
        self.members.iter_mut().for_each(|member| member.adopt(now, book));
    }
}
