//! Random conditions that are well typed, and random facts to ask them of.

use chrono::{Duration, NaiveDate, NaiveTime};
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Quantity};
use tessera_rules::command::{Line, Tender};
use tessera_rules::condition::{Facts, MemberFacts};

use super::language::{E, Kind};

/// A seeded die: the same seed throws the same.
pub(super) struct Dice(u64);

const TEXTS: [&str; 8] = ["", "coffee", "tea", "gold", "s1", "monday", "咖啡", "a\"b\\c"];

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// 0 to `sides` − 1 (xorshift64*).
    pub(super) fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.throw(of.len() as u64) as usize]
    }

    fn word(&mut self, of: &[&'static str]) -> &'static str {
        of[self.throw(of.len() as u64) as usize]
    }

    fn text(&mut self) -> String {
        self.word(&TEXTS).to_owned()
    }

    fn amount(&mut self) -> i64 {
        match self.throw(12) {
            0 => MAX_MAGNITUDE,
            1 => -MAX_MAGNITUDE,
            _ => self.throw(6_000) as i64 - 500,
        }
    }

    pub(super) fn facts(&mut self) -> Facts {
        let lines = (0..self.throw(5)).map(|_| self.line()).collect();
        let tenders = (0..self.throw(3))
            .map(|_| Tender { kind: self.text(), amount: Minor::new(self.amount()).expect("in range") })
            .collect();
        let day = NaiveDate::from_ymd_opt(2025, 1, 1).expect("a day") + Duration::days(self.throw(800) as i64);
        let minute = Duration::minutes(self.throw(24 * 60) as i64);
        let known = self.throw(2) == 0;
        let member = MemberFacts {
            tier: self.text(),
            tier_rank: self.throw(4) as i64,
            days_enrolled: self.throw(500) as i64,
            days_to_birthday: known.then(|| self.throw(366) as i64),
            birth_month: known.then(|| 1 + self.throw(12) as u32),
            purchases: self.throw(4) as i64,
            days_since_purchase: known.then(|| self.throw(90) as i64),
            lifetime_earned: self.amount().abs(),
            available: self.amount().abs(),
            pending: self.amount().abs(),
            window_points: self.amount(),
            window_spend: self.amount(),
            window_visits: self.throw(30) as i64,
            tags: (0..self.throw(3)).map(|_| self.text()).collect(),
            segments: (0..self.throw(3)).map(|_| self.text()).collect(),
        };
        let (store, channel) = (self.text(), self.text());
        Facts { member, store, channel, at: day.and_time(NaiveTime::MIN) + minute, tenders, lines, event: None }
    }

    fn line(&mut self) -> Line {
        let sku = (self.throw(3) > 0).then(|| self.text());
        let categories = (0..self.throw(3)).map(|_| self.text()).collect();
        let quantity = Quantity::from_units(1 + self.throw(3_000) as i64);
        Line { sku, categories, quantity, amount: Minor::new(self.amount()).expect("in range") }
    }

    /// A whole condition.
    pub(super) fn condition(&mut self) -> E {
        self.expression(Kind::Bool, 4, &mut Vec::new())
    }

    /// An expression of a kind, with the variables of the loops around it.
    fn expression(&mut self, kind: Kind, deep: u32, loops: &mut Vec<(String, Kind)>) -> E {
        if kind == Kind::Bool && self.throw(12) == 0 {
            let segments = Box::new(E::Var("member.segments".to_owned()));
            return E::Sign("in", Box::new(E::Text(self.text())), segments);
        }
        if deep == 0 || self.throw(7) == 0 {
            return self.leaf(kind, loops);
        }
        let may_loop = loops.len() < 2;
        let mut of = |dice: &mut Self, kind| Box::new(dice.expression(kind, deep - 1, loops));
        match (kind, self.throw(8)) {
            (Kind::Bool, 0) => E::Not(of(self, Kind::Bool)),
            (Kind::Bool, 1) => E::Sign(self.word(&["&&", "||"]), of(self, Kind::Bool), of(self, Kind::Bool)),
            (Kind::Bool, 2) => {
                let kind = *self.pick(&[Kind::Int, Kind::Text, Kind::Quantity]);
                E::Sign(self.word(&["==", "!=", "<", "<=", ">", ">="]), of(self, kind), of(self, kind))
            }
            (Kind::Bool, 3) => {
                let (one, many) = *self.pick(&[(Kind::Text, Kind::Texts), (Kind::Int, Kind::Ints)]);
                E::Sign("in", of(self, one), of(self, many))
            }
            (Kind::Bool, 4) => E::Method(
                self.word(&["startsWith", "endsWith", "contains"]),
                of(self, Kind::Text),
                of(self, Kind::Text),
            ),
            (Kind::Bool, 5..=6) if may_loop => {
                let name = self.word(&["exists", "all", "exists_one"]);
                let list = *self.pick(&[Kind::Lines, Kind::Tenders, Kind::Texts]);
                self.going_through(name, list, Kind::Bool, deep, loops)
            }
            (Kind::Int, 0) => E::Minus(of(self, Kind::Int)),
            (Kind::Int, 1..=2) => E::Sign(self.word(&["+", "-", "*"]), of(self, Kind::Int), of(self, Kind::Int)),
            (Kind::Int, 3) => {
                let by = [1, 2, 7, 100, -3, -1][self.throw(6) as usize];
                E::Sign(self.word(&["/", "%"]), of(self, Kind::Int), Box::new(E::Int(by)))
            }
            (Kind::Int, 4) => E::Call("sum", of(self, Kind::Ints)),
            (Kind::Int, 5) => {
                let list = *self.pick(&[Kind::Texts, Kind::Lines, Kind::Ints]);
                E::Call(self.word(&["count", "size"]), of(self, list))
            }
            (Kind::Int, 6) => E::Call("size", of(self, Kind::Text)),
            (Kind::Quantity, 0..=2) => E::Call("sum", of(self, Kind::Quantities)),
            (Kind::Quantity, 3) => E::Sign(self.word(&["+", "-"]), of(self, Kind::Quantity), of(self, Kind::Quantity)),
            (Kind::Ints | Kind::Quantities | Kind::Texts, 0..=4) if may_loop => {
                let value = match kind {
                    Kind::Ints => Kind::Int,
                    Kind::Texts => Kind::Text,
                    _ => Kind::Quantity,
                };
                let list = *self.pick(&[Kind::Lines, Kind::Texts]);
                self.going_through("map", list, value, deep, loops)
            }
            (Kind::Lines | Kind::Tenders | Kind::Texts, 5..=7) if may_loop => {
                self.going_through("filter", kind, Kind::Bool, deep, loops)
            }
            (_, 7) => E::Choice(of(self, Kind::Bool), of(self, kind), of(self, kind)),
            _ => self.leaf(kind, loops),
        }
    }

    /// A loop over a list, with a test or a value of each.
    fn going_through(
        &mut self,
        name: &'static str,
        list: Kind,
        part: Kind,
        deep: u32,
        loops: &mut Vec<(String, Kind)>,
    ) -> E {
        let over = Box::new(self.expression(list, deep - 1, loops));
        let variable = ["x", "y", "z"][loops.len()].to_owned();
        loops.push((variable.clone(), list));
        let mut parts = Vec::new();
        if name == "map" && self.throw(3) == 0 {
            parts.push(self.expression(Kind::Bool, deep - 1, loops));
        }
        parts.push(self.expression(part, deep - 1, loops));
        loops.pop();
        E::Loop(name, over, variable, parts)
    }

    fn leaf(&mut self, kind: Kind, loops: &[(String, Kind)]) -> E {
        if let Some((name, over)) = loops.get(self.throw(3) as usize) {
            let fields: &[&'static str] = match (over, kind) {
                (Kind::Lines, Kind::Int) | (Kind::Tenders, Kind::Int) => &["amount"],
                (Kind::Lines, Kind::Text) => &["sku"],
                (Kind::Lines, Kind::Quantity) => &["quantity"],
                (Kind::Lines, Kind::Texts) => &["categories"],
                (Kind::Tenders, Kind::Text) => &["type"],
                (Kind::Texts, Kind::Text) => return E::Var(name.clone()),
                _ => &[],
            };
            if !fields.is_empty() {
                return E::Field(name.clone(), self.word(fields));
            }
        }
        let names: &[&'static str] = match kind {
            Kind::Bool => &["member.has_birthday"],
            Kind::Int => &[
                "member.tier_rank",
                "member.purchases",
                "purchase.amount",
                "member.available",
                "now.hour",
                "member.birth_month",
            ],
            Kind::Text => &["member.tier", "purchase.store", "purchase.channel", "now.date", "now.weekday"],
            Kind::Lines => &["lines"],
            Kind::Tenders => &["purchase.tenders"],
            Kind::Texts => &["member.tags"],
            Kind::Quantity | Kind::Ints | Kind::Quantities => &[],
        };
        let lists = matches!(kind, Kind::Lines | Kind::Tenders);
        if !names.is_empty() && (lists || self.throw(2) == 0) {
            return E::Var(self.word(names).to_owned());
        }
        match kind {
            Kind::Bool => E::Bool(self.throw(2) == 0),
            Kind::Int => E::Int(if self.throw(9) == 0 { i64::MAX } else { self.throw(40) as i64 - 9 }),
            Kind::Text => E::Text(self.text()),
            Kind::Quantity => E::Quantity(self.throw(4_000) as i64),
            Kind::Texts => E::List((0..1 + self.throw(3)).map(|_| E::Text(self.text())).collect()),
            Kind::Ints => E::List((0..1 + self.throw(3)).map(|_| E::Int(self.throw(9) as i64)).collect()),
            _ => E::List((0..1 + self.throw(3)).map(|_| E::Quantity(self.throw(4_000) as i64)).collect()),
        }
    }
}
