//! Sample members: invented people with Chinese and English names. Their numbers and addresses are
//! made from their index, so that no two are the same.

use tessera_rules::id::StoreId;
use tessera_rules::time::{BirthDate, Instant};

use super::dice::Dice;
use super::plan::Plan;
use crate::engine::NewMember;

/// Who signs in as the demo's member; the first of the sample.
pub(super) const MEMBER: &str = "member@example.com";

const PURPOSE: u64 = 0x7065_6f70_6c65;

const SURNAMES: [&str; 24] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高",
    "罗", "郑", "梁", "谢", "欧阳",
];
const GIVEN: [&str; 40] = [
    "伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超",
    "秀兰", "霞", "平", "刚", "桂英", "子涵", "浩然", "雨桐", "欣怡", "梓轩", "佳琪", "思远", "晓东", "文博", "嘉怡",
    "雪", "鑫", "志强", "春梅", "建国", "若曦", "一诺",
];
const FIRST: [&str; 32] = [
    "Amelia", "Oliver", "Isla", "George", "Ava", "Noah", "Mia", "Arthur", "Ivy", "Leo", "Freya", "Oscar", "Grace",
    "Theo", "Willow", "Jack", "Priya", "Arjun", "Zara", "Omar", "Chloe", "Liam", "Sofia", "Mateo", "Elena", "Hugo",
    "Nora", "Felix", "Aisha", "Daniel", "Ruth", "Samuel",
];
const LAST: [&str; 32] = [
    "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel", "Wright", "Walker",
    "White", "Edwards", "Hughes", "Green", "Hall", "Lewis", "Harris", "Clarke", "Khan", "Jackson", "Wood", "Turner",
    "Martin", "Cooper", "Hill", "Ward", "Morris", "Moore", "Clark", "O'Neill", "García",
];

/// The id of a sample member in "another system": what a replay finds its members by.
pub(super) fn external_id(index: u32) -> String {
    format!("demo-{index:06}")
}

/// The day of the replay on which a member enrols; `None`: before the replay begins, like half of
/// them.
pub(super) fn enrols_on(plan: &Plan, index: u32) -> Option<u32> {
    let early = plan.members.div_ceil(2);
    if index < early {
        return None;
    }
    // The others come evenly until a month before the end.
    let days = u64::from(super::plan::DAYS - 30);
    let day = u64::from(index - early) * days / u64::from(plan.members - early).max(1);
    u32::try_from(day).ok()
}

/// A sample member. `at` is the morning of the day of enrolment, or of the replay's first day.
pub(super) fn person(plan: &Plan, index: u32, at: Instant, stores: &[StoreId]) -> NewMember {
    let mut dice = Dice::new(PURPOSE, index.into());
    let enrolled_at = match enrols_on(plan, index) {
        Some(_) => at + chrono::TimeDelta::seconds(i64::try_from(dice.below(3 * 3600)).unwrap_or(0)),
        None => at - chrono::TimeDelta::hours(i64::try_from(dice.between(24, 700 * 24)).unwrap_or(24)),
    };
    let chinese = dice.percent(60);
    let name = if chinese {
        format!("{}{}", dice.pick(&SURNAMES), dice.pick(&GIVEN))
    } else {
        format!("{} {}", dice.pick(&FIRST), dice.pick(&LAST))
    };
    let phone = if chinese { format!("+86139{index:08}") } else { format!("+447700{index:06}") };
    let (has_phone, has_email) = (dice.percent(92), dice.percent(70));
    NewMember {
        name,
        phone: has_phone.then_some(phone),
        email: has_email.then(|| format!("{}@example.com", external_id(index))),
        external_id: Some(external_id(index)),
        birth_date: birth_date(&mut dice, index),
        locale: if chinese { "zh-CN" } else { "en" }.to_owned(),
        store: Some(*dice.pick(stores)),
        enrolled_at,
        referred_by: None,
    }
}

/// The member one can sign in as.
pub(super) fn sample_login(enrolled_at: Instant, store: StoreId) -> NewMember {
    NewMember {
        name: "李晓灯 Li Xiaodeng".to_owned(),
        phone: Some("+8613800000000".to_owned()),
        email: Some(MEMBER.to_owned()),
        external_id: Some(external_id(0)),
        birth_date: Some(BirthDate { year: Some(1990), month: 6, day: 15 }),
        locale: "zh-CN".to_owned(),
        store: Some(store),
        enrolled_at,
        referred_by: None,
    }
}

/// Some give none, some keep the year to themselves, and some were born on 29 February.
fn birth_date(dice: &mut Dice, index: u32) -> Option<BirthDate> {
    let small = |value: u64| u32::try_from(value).unwrap_or(1);
    let year = i32::try_from(dice.between(1948, 2007)).ok();
    let (month, day) = (small(dice.between(1, 12)), small(dice.between(1, 28)));
    let (gives_none, keeps_year) = (dice.percent(8), dice.percent(15));
    if index % 97 == 5 {
        // 1988 had one.
        return Some(BirthDate { year: (!keeps_year).then_some(1988), month: 2, day: 29 });
    }
    (!gives_none).then_some(BirthDate { year: year.filter(|_| !keeps_year), month, day })
}
