//! The language of conditions told a second time, slowly and for a core of it: an expression of our
//! own, how it is written, and what it means. It shares nothing with the rulebook but the facts.

use std::fmt;

use tessera_rules::command::{Line, Tender};
use tessera_rules::condition::Facts;

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Text,
    Quantity,
    Texts,
    Ints,
    Quantities,
    Lines,
    Tenders,
}

#[derive(Debug, Clone)]
pub(super) enum E {
    Bool(bool),
    Int(i64),
    Text(String),
    /// Thousandths.
    Quantity(i64),
    /// A variable by its full name, or that of a loop.
    Var(String),
    /// A field of a loop's variable.
    Field(String, &'static str),
    Not(Box<E>),
    Minus(Box<E>),
    Sign(&'static str, Box<E>, Box<E>),
    Choice(Box<E>, Box<E>, Box<E>),
    List(Vec<E>),
    /// `list.method(argument)`.
    Method(&'static str, Box<E>, Box<E>),
    /// `function(argument)`.
    Call(&'static str, Box<E>),
    /// `list.method(variable, tests…, value)`.
    Loop(&'static str, Box<E>, String, Vec<E>),
}

impl fmt::Display for E {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{}", quoted(text)),
            Self::Quantity(units) => write!(f, "quantity(\"{}.{:03}\")", units / 1_000, units % 1_000),
            Self::Var(name) => f.write_str(name),
            Self::Field(name, field) => write!(f, "{name}.{field}"),
            Self::Not(one) => write!(f, "!({one})"),
            Self::Minus(one) => write!(f, "-({one})"),
            Self::Sign(sign, l, r) => write!(f, "({l} {sign} {r})"),
            Self::Choice(test, yes, no) => write!(f, "({test} ? {yes} : {no})"),
            Self::List(items) => write!(f, "[{}]", join(items)),
            Self::Method(name, on, argument) => write!(f, "{on}.{name}({argument})"),
            Self::Call(name, argument) => write!(f, "{name}({argument})"),
            Self::Loop(name, list, variable, parts) => write!(f, "{list}.{name}({variable}, {})", join(parts)),
        }
    }
}

fn join(items: &[E]) -> String {
    items.iter().map(E::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum V {
    Bool(bool),
    /// Whole numbers, and quantities in thousandths.
    Int(i64),
    Text(String),
    Line(Line),
    Tender(Tender),
    List(Vec<V>),
}

/// A number that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

type Told = Result<V, Overflow>;

pub(super) struct Teller<'f> {
    pub(super) facts: &'f Facts,
    pub(super) loops: Vec<(String, V)>,
}

impl Teller<'_> {
    pub(super) fn tell(&mut self, e: &E) -> Told {
        match e {
            E::Bool(truth) => Ok(V::Bool(*truth)),
            E::Int(number) | E::Quantity(number) => Ok(V::Int(*number)),
            E::Text(text) => Ok(V::Text(text.clone())),
            E::Var(name) => Ok(self.variable(name)),
            E::Field(name, field) => Ok(field_of(&self.variable(name), field)),
            E::Not(one) => Ok(V::Bool(!self.truth(one)?)),
            E::Minus(one) => self.number(one)?.checked_neg().map(V::Int).ok_or(Overflow),
            E::Sign("&&", l, r) => self.either(l, r, false),
            E::Sign("||", l, r) => self.either(l, r, true),
            E::Sign(sign, l, r) => sign_of(sign, self.tell(l)?, self.tell(r)?),
            E::Choice(test, yes, no) => {
                if self.truth(test)? {
                    self.tell(yes)
                } else {
                    self.tell(no)
                }
            }
            E::List(items) => items.iter().map(|item| self.tell(item)).collect::<Result<_, _>>().map(V::List),
            E::Method(name, on, argument) => {
                let (argument, on) = (self.tell(argument)?, self.tell(on)?);
                let (V::Text(on), V::Text(argument)) = (on, argument) else { panic!("texts") };
                Ok(V::Bool(match *name {
                    "startsWith" => on.starts_with(&argument),
                    "endsWith" => on.ends_with(&argument),
                    _ => on.contains(&argument),
                }))
            }
            E::Call("sum", list) => {
                let sum = self.list(list)?.iter().map(|item| i128::from(number_of(item))).sum::<i128>();
                i64::try_from(sum).map(V::Int).map_err(|_| Overflow)
            }
            E::Call(_, list) => match self.tell(list)? {
                V::Text(text) => Ok(V::Int(text.chars().count() as i64)),
                V::List(items) => Ok(V::Int(items.len() as i64)),
                other => panic!("no size of {other:?}"),
            },
            E::Loop(name, list, variable, parts) => self.through(name, list, variable, parts),
        }
    }

    /// One side may settle it, whatever becomes of the other.
    fn either(&mut self, l: &E, r: &E, settles: bool) -> Told {
        let (l, r) = (self.truth(l), self.truth(r));
        if l == Ok(settles) || r == Ok(settles) {
            return Ok(V::Bool(settles));
        }
        l.and(r).map(V::Bool)
    }

    fn through(&mut self, name: &str, list: &E, variable: &str, parts: &[E]) -> Told {
        let items = self.list(list)?;
        let mut one = |item: &V, part: &E| {
            self.loops.push((variable.to_owned(), item.clone()));
            let told = self.tell(part);
            self.loops.pop();
            told
        };
        let holds = |told: Told| told.map(|truth| truth == V::Bool(true));
        if name == "exists" || name == "all" {
            let settles = name == "exists";
            let told: Vec<Result<bool, Overflow>> = items.iter().map(|item| holds(one(item, &parts[0]))).collect();
            if told.contains(&Ok(settles)) {
                return Ok(V::Bool(settles));
            }
            return if told.contains(&Err(Overflow)) { Err(Overflow) } else { Ok(V::Bool(!settles)) };
        }
        let mut kept = Vec::new();
        for item in &items {
            let tested = if name == "map" && parts.len() == 1 { true } else { holds(one(item, &parts[0]))? };
            if tested {
                kept.push(if name == "map" { one(item, &parts[parts.len() - 1])? } else { item.clone() });
            }
        }
        Ok(if name == "exists_one" { V::Bool(kept.len() == 1) } else { V::List(kept) })
    }

    fn truth(&mut self, e: &E) -> Result<bool, Overflow> {
        self.tell(e).map(|told| told == V::Bool(true))
    }

    fn number(&mut self, e: &E) -> Result<i64, Overflow> {
        self.tell(e).map(|told| number_of(&told))
    }

    fn list(&mut self, e: &E) -> Result<Vec<V>, Overflow> {
        match self.tell(e)? {
            V::List(items) => Ok(items),
            other => panic!("no list: {other:?}"),
        }
    }

    fn variable(&self, name: &str) -> V {
        if let Some((_, value)) = self.loops.iter().find(|(own, _)| own == name) {
            return value.clone();
        }
        let (facts, member) = (self.facts, &self.facts.member);
        match name {
            "member.tier" => V::Text(member.tier.clone()),
            "member.tier_rank" => V::Int(member.tier_rank),
            "member.has_birthday" => V::Bool(member.days_to_birthday.is_some()),
            "member.days_to_birthday" => V::Int(member.days_to_birthday.unwrap_or(-1)),
            "member.birth_month" => V::Int(member.birth_month.unwrap_or(0).into()),
            "member.tags" => V::List(member.tags.iter().cloned().map(V::Text).collect()),
            "member.segments" => V::List(member.segments.iter().cloned().map(V::Text).collect()),
            "purchase.channel" => V::Text(facts.channel.clone()),
            "member.purchases" => V::Int(member.purchases),
            "member.lifetime_earned" => V::Int(member.lifetime_earned),
            "member.available" => V::Int(member.available),
            "purchase.amount" => V::Int(facts.lines.iter().map(|line| line.amount.get()).sum()),
            "purchase.store" => V::Text(facts.store.clone()),
            "purchase.tenders" => V::List(facts.tenders.iter().cloned().map(V::Tender).collect()),
            "lines" => V::List(facts.lines.iter().cloned().map(V::Line).collect()),
            "now.date" => V::Text(facts.at.date().to_string()),
            "now.weekday" | "purchase.weekday" => V::Text(facts.at.format("%A").to_string().to_lowercase()),
            "now.hour" | "purchase.hour" => V::Int(facts.at.format("%H").to_string().parse().expect("a number")),
            other => panic!("no variable {other}"),
        }
    }
}

fn number_of(value: &V) -> i64 {
    match value {
        V::Int(number) => *number,
        other => panic!("no number: {other:?}"),
    }
}

fn field_of(of: &V, field: &str) -> V {
    match (of, field) {
        (V::Line(line), "sku") => V::Text(line.sku.clone().unwrap_or_default()),
        (V::Line(line), "categories") => V::List(line.categories.iter().cloned().map(V::Text).collect()),
        (V::Line(line), "quantity") => V::Int(line.quantity.units()),
        (V::Line(line), "amount") => V::Int(line.amount.get()),
        (V::Tender(tender), "type") => V::Text(tender.kind.clone()),
        (V::Tender(tender), "amount") => V::Int(tender.amount.get()),
        other => panic!("no field {other:?}"),
    }
}

fn sign_of(sign: &str, l: V, r: V) -> Told {
    if let (V::Int(l), V::Int(r)) = (&l, &r) {
        let told = match sign {
            "+" => l.checked_add(*r),
            "-" => l.checked_sub(*r),
            "*" => l.checked_mul(*r),
            "/" => l.checked_div(*r),
            "%" => l.checked_rem(*r),
            _ => return Ok(V::Bool(compared(sign, l.cmp(r)))),
        };
        return told.map(V::Int).ok_or(Overflow);
    }
    Ok(V::Bool(match (sign, &l, &r) {
        ("in", l, V::List(items)) => items.contains(l),
        (_, V::Text(l), V::Text(r)) => compared(sign, l.cmp(r)),
        ("==", l, r) => l == r,
        ("!=", l, r) => l != r,
        other => panic!("not defined: {other:?}"),
    }))
}

fn compared(sign: &str, order: std::cmp::Ordering) -> bool {
    match sign {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        other => panic!("no sign {other}"),
    }
}
