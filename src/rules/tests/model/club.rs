//! All members, and what one does to another: gifts, purchases that were entered for the wrong one.

use std::collections::BTreeMap;

use super::book::{Book, Given};
use super::calendar::Instant;
use super::earn::Earned;
use super::goods::{Goods, Returned};
use super::keeping::Why;
use super::perks::Granted;
use super::points::Fate;
use super::{Member, No};

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

    /// What the accounts merged into a member bought counts for him, and what lapsed of a member's
    /// points while others had them.
    fn count(&mut self) {
        let mut lapsed = BTreeMap::new();
        for member in &self.members {
            for point in member.points.iter().filter(|point| point.fate == Fate::Expired) {
                *lapsed.entry((point.sale, member.me)).or_insert(0) += 1;
            }
        }
        for who in 0..self.members.len() {
            let merged = self.merged_into(who);
            let sales = merged.iter().flat_map(|&other| &self.members[other].sales);
            let counted = sales.map(|sale| (sale.day, sale.counted)).collect();
            let earned = merged.iter().map(|&other| self.members[other].earned).sum();
            // What the merged account had as a voucher is none any more.
            let direct = || self.members.iter().filter(|other| other.keeper == Some((who, Why::Merged)));
            let closed = |gift: &Granted| Granted {
                until: if gift.given == Given::Mug { gift.from } else { gift.until },
                ..gift.clone()
            };
            let gifts = direct().flat_map(|other| &other.gifts).map(closed).collect();
            let days = direct().flat_map(|other| other.double_days.clone()).collect();
            let beside = self.chain(who);
            let away = lapsed.iter().filter(|((_, with), _)| !beside.contains(with));
            let mine = away.filter_map(|((sale, _), n)| sale.filter(|sale| sale.0 == who).map(|sale| (sale.1, *n)));
            let mut lapsed_away = BTreeMap::new();
            mine.for_each(|(sale, n): (usize, i64)| *lapsed_away.entry(sale).or_insert(0) += n);
            let member = &mut self.members[who];
            (member.counted_too, member.earned_too, member.lapsed_away) = (counted, earned, lapsed_away);
            (member.gifts_too, member.double_days_too) = (gifts, days);
        }
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
