//! **The reference model**: the programme book once more, told slowly. Every point is one thing in a
//! flat list, every window is summed from all receipts, every midnight is lived through. It knows
//! nothing of how the rulebook does it and shares no code with it; [`trial`] lets random histories
//! ([`scene`]) happen to both, in memory or on a database, and compares.
//!
//! Reading order: [`calendar`], [`book`] (what a programme says), [`points`], [`time`], [`earn`] and
//! [`sales`], [`goods`] (returns), [`redeem`], [`tiers`], [`perks`], [`extras`], [`notices`], then what members have with each
//! other: [`keeping`], [`club`], [`families`]. [`document`] alone writes a book
//! down as a programme of the rulebook, and [`memory`] is the shop that runs it in memory, with books
//! ([`ledger`]) of its own.

mod any_book;
mod asking;
pub(crate) mod book;
pub(crate) mod calendar;
mod club;
mod compare;
pub(crate) mod document;
mod earn;
mod extras;
mod families;
mod goods;
mod keeping;
pub(crate) mod ledger;
mod limits;
pub(crate) mod memory;
mod notices;
mod perks;
mod points;
mod redeem;
mod sales;
pub(crate) mod scene;
pub(crate) mod seeds;
mod tiers;
mod time;
pub(crate) mod trial;

use std::collections::BTreeMap;

use book::Book;
use calendar::{Day, Instant, day_of};
use redeem::Status;

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum No {
    TooEarly,
    TooLate,
    Tenders,
    Minimum,
    Step,
    Share,
    Points,
    Tier,
    Stock,
    NotHeld,
    Range,
    Whole,
    ForSale,
    Voided,
    Line,
    NotAPart,
    MoreThanLeft,
    Nothing,
    Over,
    NotEntitled,
    Day,
    UsedUp,
    DailyLimit,
    ReturnedBefore,
    PaidWithPoints,
    MovedTooLate,
    Merged,
    NotMerged,
    InPool,
    NotAHead,
    Full,
    NotInPool,
    MayNotSpend,
}

/// What of other accounts counts for a member because they were merged into his.
#[derive(Debug, Clone, Default)]
struct Brought {
    counted: Vec<(Day, sales::Counted)>,
    /// Everything ever earned there.
    earned: i64,
    /// Uses of limited promotions.
    uses: Vec<earn::Used>,
    gifts: Vec<perks::Granted>,
    double_days: Vec<(Day, i64)>,
}

/// A member, with everything that ever happened to him.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// His number.
    me: usize,
    /// The programme in force.
    book: Book,
    /// Up to when he is settled.
    now: Instant,
    enrolled: Instant,
    /// Month and day of birth.
    born: Option<(u32, u32)>,
    points: Vec<points::Point>,
    lots: i64,
    debt: i64,
    carry: i64,
    sales: Vec<sales::Sale>,
    redemptions: Vec<redeem::Redemption>,
    /// When he bought last.
    bought: Option<Instant>,
    /// The last activity that counts.
    active: Instant,
    /// The tier reached by his own purchases, and until when it is valid.
    own: usize,
    until: Option<Instant>,
    /// Where staff have placed him, and until when.
    placed: Option<(usize, Instant)>,
    /// From when which tier counted.
    tiers: Vec<(Instant, usize)>,
    gifts: Vec<perks::Granted>,
    notices: Vec<notices::Notice>,
    double_days: Vec<(Day, i64)>,
    /// Who keeps his points, and why; absent: he himself.
    keeper: Option<(usize, keeping::Why)>,
    /// That member himself, while something is done.
    beside: Option<Box<Member>>,
    /// What accounts merged into his brought along.
    brought: Brought,
    /// Uses of limited promotions by all others: which, and how many points.
    used_elsewhere: Vec<earn::Used>,
    /// Points of his sales that lapsed while somebody had them who does not keep his points.
    lapsed_away: BTreeMap<usize, i64>,
    /// Points given to others or taken from a household's, by day.
    given: Vec<(Day, i64)>,
    /// Everything ever earned, adjusted, and owed for goods that came back.
    earned: i64,
    adjusted: i64,
    owed_for_goods: i64,
}

impl Member {
    pub(crate) fn new(me: usize, book: &Book, now: Instant, born: Option<(u32, u32)>) -> Self {
        Self {
            me,
            book: book.clone(),
            now,
            enrolled: now,
            born,
            points: Vec::new(),
            lots: 0,
            debt: 0,
            carry: 0,
            sales: Vec::new(),
            redemptions: Vec::new(),
            bought: None,
            active: now,
            own: 0,
            until: None,
            placed: None,
            tiers: Vec::new(),
            gifts: Vec::new(),
            notices: Vec::new(),
            double_days: Vec::new(),
            keeper: None,
            beside: None,
            brought: Brought::default(),
            used_elsewhere: Vec::new(),
            lapsed_away: BTreeMap::new(),
            given: Vec::new(),
            earned: 0,
            adjusted: 0,
            owed_for_goods: 0,
        }
    }

    fn today(&self) -> Day {
        day_of(self.book.zone, self.now)
    }

    /// Purchases of which something is left.
    pub(crate) fn purchases(&self) -> i64 {
        self.counted().map(|(_, counted)| counted.visits).sum()
    }

    /// Everything ever earned, by him and by the accounts merged into his.
    pub(crate) fn lifetime(&self) -> i64 {
        self.earned + self.brought.earned
    }

    /// What he was granted, and what accounts merged into his were.
    fn granted(&self) -> impl Iterator<Item = &perks::Granted> {
        self.gifts.iter().chain(&self.brought.gifts)
    }

    /// The days chosen to earn a multiple on, also by way of accounts merged into his.
    fn chosen(&self) -> impl Iterator<Item = &(Day, i64)> {
        self.double_days.iter().chain(&self.brought.double_days)
    }

    /// What counts of his purchases and of those of accounts merged into his, by day.
    fn counted(&self) -> impl Iterator<Item = (Day, sales::Counted)> {
        self.sales.iter().map(|sale| (sale.day, sale.counted)).chain(self.brought.counted.iter().copied())
    }

    /// Another programme comes into force: nobody is moved by that alone.
    pub(crate) fn adopt(&mut self, now: Instant, book: &Book) {
        self.settle(now);
        self.book = book.clone();
        self.term();
    }
}
