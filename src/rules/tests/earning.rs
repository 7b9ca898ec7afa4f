//! Earning as a text table (PROGRAMME.md §3): the base rate, rules, exclusions, tenders, promotions,
//! caps, shares and the carry, each row worked out by hand.

use tessera_rules::amount::{Minor, Rate};
use tessera_rules::command::{Line, Tender};
use tessera_rules::earning::{Earned, Sale, earn};
use tessera_rules::explain::{CapKind, Exclusion, PromotionExplained};
use tessera_rules::programme::EarningRule;
use tessera_rules::promotion::{Combine, Miss, PromotionEffect};
use tessera_rules::tier::TierLevel;
use tessera_rules::{Programme, Refusal};

use crate::support::{day, level, line, points, programme, promotion, times};

/// name | programme and sale | lines | expected
const TABLE: &str = "
base rate, floored            |                                   | 1999                 | given=19 wanted=19 basis=1999 base=19 rest=990000
another rate                  | rate=3/7                          | 100                  | given=42 rest=857142
category multiplier           | rule=food:2                       | 1000@food 500        | given=25 shares=20,5 base=15
largest of the matching       | rule=food:2 rule=fresh:3 sku=S1:1.5 | 1000@food@fresh#S1 1000#S1 1000@food | given=65 shares=30,15,20
a rule below one counts       | rule=food:0.5                     | 1000@food            | given=5 base=10
a rule of zero                | rule=food:0                       | 1000@food 100        | given=1 base=11 shares=0,1
exclusions                    | nocat=wine nosku=S9               | 1000 1000@wine 1000#S9 | given=10 basis=1000 shares=10,0,0 why=-,category,sku
everything excluded           | nocat=wine                        | 1000@wine            | given=0 basis=0 base=0 shares=0
tier multiplier, base without | tier=1.5                          | 10050                | given=150 base=100 rest=750000
the book's example            | tier=1.5 x=2                      | 10050                | given=301 charged=151 mult=2
the book's example, 100 left  | tier=1.5 x=2:100                  | 10050                | wanted=301 given=250 charged=100
best takes one                | x=2 x=3                           | 1000                 | given=30 charged=0,20 missed=best,-
best, equals: first priority  | x=2 x=2                           | 1000                 | given=20 charged=10,0 missed=-,best
best leaves fixed points be   | x=2 x=3 add=7                     | 1000                 | given=37 charged=0,20,7
best: a cap is not a reason   | x=2 x=3:5                         | 1000                 | wanted=30 given=15 charged=0,5
bonuses add                   | combine=add x=2 x=3               | 1000                 | given=40 charged=10,20 mult=4
multipliers multiply          | combine=multiply x=2 x=3          | 1000                 | given=60 charged=10,40 mult=6
a product cut to 4 places     | combine=multiply x=1.3333 x=1.3333 | 1000000             | given=17776 charged=3333,4443 mult=1.7776
a product is cut once         | combine=multiply x=1.3333 x=1.3333 x=1.3333 | 1000000    | given=23701 mult=2.3701
fixed points                  | add=50                            | 1050                 | given=60 charged=50 fixed=50
fixed points know no tier     | tier=2 add=10                     | 1000                 | given=30 charged=10
charges telescope             | combine=add x=1.5 x=1.5 add=3     | 1050                 | given=24 charged=5,6,3
caps of two promotions        | combine=add x=2:5 x=2 add=9:2     | 1000                 | wanted=39 given=27 charged=5,10,2
the book's shares             |                                   | 1050 -550            | given=5 shares=11,-6
ties to the earlier line      |                                   | 50 50                | given=1 shares=1,0
largest fraction first        |                                   | 120 170 110          | given=4 shares=1,2,1
fixed points by amount        | add=10                            | 1000 3000            | given=50 shares=13,37
shares are rounded once       | add=1                             | 50 50                | given=2 shares=1,1
fixed points skip excluded    | nocat=wine add=10                 | 1000@wine 1000       | given=20 shares=0,20
fixed points, negative line   | add=10                            | 1500 -500            | given=20 shares=30,-10
a cap scales the shares       | cap=10                            | 1000 3000            | wanted=40 given=10 shares=3,7
a cap scales negative shares  | cap=5                             | 2000 -1000           | wanted=10 given=5 shares=10,-5
clamped to nothing            |                                   | 500 -1000            | given=0 basis=0 base=0 shares=0,0
clamped, fixed points remain  | add=10                            | 500 -1000            | given=10 shares=10,0
weighted sum clamped alone    | rule=food:2                       | 1000 -800@food       | given=0 basis=200 base=2 shares=0,0
sums to nothing, not clamped  |                                   | 1000 -1000           | given=0 basis=0 shares=10,-10
excluded tender pro rata      | notender=gift pay=gift:500        | 1000 3000            | basis=3500 bases=875,2625 given=35
tender, largest remainder     | notender=gift pay=gift:100        | 100 100 100          | basis=200 bases=66,67,67 given=2
tender and a negative line    | notender=gift pay=gift:500        | 1500 -500            | basis=500 bases=750,-250 given=5
tender before exclusion       | notender=gift pay=gift:100 nocat=wine | 500@wine 500     | basis=450 given=4
tender pays all               | notender=gift pay=gift:1000       | 400 600              | basis=0 given=0
other tenders count           | notender=gift pay=cash:1000       | 1000                 | given=10
two excluded tenders          | notender=gift notender=points pay=gift:300 pay=points:200 | 1000 | basis=500 given=5
tender above the total        | notender=gift pay=gift:1001       | 1000                 | refused=TendersExceedTotal
cap per purchase              | cap=30                            | 5000                 | wanted=50 given=30 cuts=purchase:20
cap per purchase, not reached | cap=50                            | 5000                 | wanted=50 given=50 cuts=
cap per day                   | daycap=100 today=80               | 5000                 | wanted=50 given=20 cuts=day:30
both caps                     | cap=30 daycap=100 today=80        | 5000                 | wanted=50 given=20 cuts=purchase:20,day:10
the day is used up            | daycap=100 today=120              | 5000                 | wanted=50 given=0 shares=0 cuts=day:50
a cap cuts no charge          | x=2 cap=15                        | 1000                 | wanted=20 given=15 charged=10
carry: 30 at 1 per 50         | rate=1/5000 carry=0               | 3000                 | given=0 carry=600000 micro=600000
carry: and 20 more            | rate=1/5000 carry=600000          | 2000                 | given=1 carry=0 micro=400000
carry is cut to micropoints   | rate=1/3 carry=0                  | 1                    | given=0 carry=333333 micro=333333
carry: never rounded up       | rate=1/3 carry=666666             | 1                    | given=0 carry=999999
carry and whole points        | carry=600000                      | 1050                 | wanted=11 given=11 carry=100000 micro=10500000 shares=11
carry unchanged by a cap      | carry=600000 cap=10               | 1050                 | wanted=11 given=10 carry=600000 micro=-
carry unchanged, cap below    | carry=600000 cap=5                | 1050                 | wanted=11 given=5 carry=600000 micro=-
carry grows under a loose cap | carry=600000 cap=11               | 1050                 | given=11 carry=100000
carry and a promotion's cap   | carry=600000 x=2:5                | 1080                 | wanted=21 given=15 carry=600000 micro=-
carried point to a fraction   | carry=990000                      | 101 205              | given=4 carry=50000 shares=1,3
largest amount there is       | rate=1/1                          | 9007199254740991     | given=9007199254740991
largest, with fixed points    | rate=1/1 add=5 cap=7              | 4503599627370495 4503599627370490 | given=7 shares=4,3
points overflow               | rate=2/1                          | 9007199254740991     | refused=AmountOutOfRange
basis overflow                |                                   | 9007199254740991 1   | refused=AmountOutOfRange
every factor at its largest   | rate=1000000/1 tier=1000 x=1000 rule=food:1000 | 9007199254740991@food | refused=AmountOutOfRange
large lines that cancel       | rate=1000000/1 tier=1000 x=1000 rule=food:1000 | 9007199254740991@food -9007199254740991@food | refused=AmountOutOfRange
";

struct Case {
    programme: Programme,
    tier: TierLevel,
    lines: Vec<Line>,
    tenders: Vec<Tender>,
    carry: i64,
    today: i64,
}

impl Case {
    fn parse(setup: &str, lines: &str) -> Self {
        let mut case = Self {
            programme: programme(),
            tier: level("base", 0, "1"),
            lines: lines.split_whitespace().map(parse_line).collect(),
            tenders: Vec::new(),
            carry: 0,
            today: 0,
        };
        for token in setup.split_whitespace() {
            let (key, value) = token.split_once('=').expect("key=value");
            case.set(key, value);
        }
        case
    }

    fn set(&mut self, key: &str, value: &str) {
        let number = |text: &str| text.parse::<i64>().expect("a number");
        let (first, second) = value.split_once([':', '/']).unwrap_or((value, ""));
        let earning = &mut self.programme.earning;
        let rule = |category: Option<&str>, sku: Option<&str>| EarningRule {
            code: first.to_lowercase(),
            category: category.map(str::to_owned),
            sku: sku.map(str::to_owned),
            multiplier: times(second),
        };
        match key {
            "rate" => {
                let part = |text: &str| text.parse().expect("a part of a rate");
                earning.rate = Rate { points: part(first), per: part(second) };
            }
            "tier" => self.tier.earn_multiplier = times(value),
            "combine" if value == "add" => earning.combine = Combine::Add,
            "combine" => earning.combine = Combine::Multiply,
            "rule" => earning.rules.push(rule(Some(first), None)),
            "sku" => earning.rules.push(rule(None, Some(first))),
            "nocat" => earning.excluded_categories.push(value.to_owned()),
            "nosku" => earning.excluded_skus.push(value.to_owned()),
            "notender" => earning.excluded_tenders.push(value.to_owned()),
            "pay" => {
                self.tenders.push(Tender { kind: first.to_owned(), amount: Minor::new(number(second)).expect("ok") })
            }
            "cap" => earning.cap_per_purchase = Some(points(number(value))),
            "daycap" => earning.cap_per_day = Some(points(number(value))),
            "today" => self.today = number(value),
            "carry" => (earning.carry_remainder, self.carry) = (true, number(value)),
            "x" => self.promote(PromotionEffect::Multiply { by: times(first) }, second),
            "add" => self.promote(PromotionEffect::Add { points: points(number(first)) }, second),
            other => panic!("unknown word {other}"),
        }
    }

    /// Adds a promotion after those before it in priority, though not in the document.
    fn promote(&mut self, effect: PromotionEffect, cap: &str) {
        let priority = self.programme.promotions.len() as i32;
        let mut added = promotion(&format!("p{}", 9 - priority), priority, effect);
        added.cap_per_purchase = cap.parse().ok().map(points);
        self.programme.promotions.insert(0, added);
    }

    fn earn(&self) -> Result<Earned, Refusal> {
        let sale = Sale {
            lines: &self.lines,
            tenders: &self.tenders,
            at: day("2025-07-01").and_time(chrono::NaiveTime::MIN),
            store: "s1",
            channel: "",
            tier: &self.tier,
            boosts: &[],
            carry: self.carry,
            given_today: self.today,
            purchases: 0,
            facts: None,
            promotions_used: &Default::default(),
            own_uses: &Default::default(),
            cashback_given: &Default::default(),
        };
        earn(&self.programme, 1, &sale)
    }
}

fn parse_line(text: &str) -> Line {
    let (rest, sku) = text.split_once('#').map_or((text, None), |(rest, sku)| (rest, Some(sku.to_owned())));
    let mut parts = rest.split('@');
    let amount = parts.next().expect("an amount").parse().expect("an amount");
    Line { sku, categories: parts.map(str::to_owned).collect(), ..line(amount) }
}

fn list<T>(items: impl IntoIterator<Item = T>, show: impl FnMut(T) -> String) -> String {
    items.into_iter().map(show).collect::<Vec<_>>().join(",")
}

fn show(earned: &Earned, key: &str) -> String {
    let why = &earned.explanation;
    let promotions = |show: fn(&PromotionExplained) -> String| list(&why.promotions, show);
    match key {
        "given" => earned.given.to_string(),
        "wanted" => earned.wanted.to_string(),
        "carry" => earned.carry.to_string(),
        "micro" => earned.micropoints.map_or("-".to_owned(), |micro| micro.to_string()),
        "basis" => why.basis.to_string(),
        "base" => why.base_points.to_string(),
        "rest" => why.remainder_micropoints.to_string(),
        "mult" => why.promotion_multiplier.to_string(),
        "fixed" => why.fixed_points.to_string(),
        "shares" => list(&why.lines, |line| line.points.to_string()),
        "bases" => list(&why.lines, |line| line.basis.to_string()),
        "charged" => promotions(|p| p.charged.to_string()),
        "missed" => {
            promotions(|p| p.missed.map_or("-", |miss| if miss == Miss::NotBest { "best" } else { "?" }).into())
        }
        "why" => list(&why.lines, |line| match &line.excluded {
            None => "-".to_owned(),
            Some(Exclusion::Sku) => "sku".to_owned(),
            Some(Exclusion::Category(_)) => "category".to_owned(),
        }),
        "cuts" => {
            list(&why.caps, |cap| format!("{}:{}", if cap.cap == CapKind::Day { "day" } else { "purchase" }, cap.cut))
        }
        other => panic!("unknown word {other}"),
    }
}

#[test]
fn table() {
    let mut failed = Vec::new();
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name, setup, lines, expected] = columns[..] else { panic!("four columns: {row}") };
        let earned = Case::parse(setup, lines).earn();
        for token in expected.split_whitespace() {
            let (key, value) = token.split_once('=').expect("key=value");
            let found = match &earned {
                Err(refusal) => format!("{refusal:?}"),
                Ok(earned) if key == "refused" => format!("{} given", earned.given),
                Ok(earned) => show(earned, key),
            };
            if found != value {
                failed.push(format!("{name}: {key}={found}, expected {value}"));
            }
        }
        if let Ok(earned) = &earned {
            let sum: i64 = earned.explanation.lines.iter().map(|line| line.points.get()).sum();
            assert_eq!(sum, earned.given.get(), "{name}: shares sum to what was given");
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn a_promotion_outside_its_scope_is_explained() {
    let mut case = Case::parse("x=2 x=2 x=2 x=2", "1000");
    let own = |code: &str, promotion: &mut tessera_rules::promotion::Promotion| match code {
        "p9" => promotion.schedule.to = Some(day("2025-06-30")),
        "p8" => promotion.schedule.weekdays = vec![tessera_rules::time::Weekday::Monday],
        "p7" => promotion.stores = vec!["s2".to_owned()],
        _ => promotion.tiers = vec!["gold".to_owned()],
    };
    case.programme.promotions.iter_mut().for_each(|promotion| own(&promotion.code.clone(), promotion));
    let earned = case.earn().expect("it earns");
    let missed: Vec<Option<Miss>> = earned.explanation.promotions.iter().map(|p| p.missed).collect();
    let wanted = [Miss::Schedule, Miss::Schedule, Miss::Store, Miss::Tier];
    assert_eq!((earned.given, missed), (points(10), wanted.map(Some).to_vec()));
}

#[test]
fn equal_priorities_go_by_code() {
    let mut case = Case::parse("x=2 x=2", "1000");
    case.programme.promotions.iter_mut().for_each(|promotion| promotion.priority = 0);
    case.programme.promotions.sort_by(|a, b| b.code.cmp(&a.code));
    let explained = case.earn().expect("it earns").explanation.promotions;
    let order: Vec<(&str, i64)> = explained.iter().map(|p| (p.code.as_str(), p.charged.get())).collect();
    assert_eq!(order, [("p8", 10), ("p9", 0)]);
}

#[test]
fn a_schedule_is_inclusive_on_both_ends() {
    let mut case = Case::parse("x=2", "1000");
    let schedule = &mut case.programme.promotions[0].schedule;
    (schedule.from, schedule.to) = (Some(day("2025-07-01")), Some(day("2025-07-01")));
    schedule.weekdays = vec![tessera_rules::time::Weekday::Tuesday];
    assert_eq!(case.earn().expect("it earns").given, points(20));
}
