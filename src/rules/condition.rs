//! Conditions: when a promotion applies, as an expression in CEL (PROGRAMME.md §8), the Common
//! Expression Language of <https://cel.dev>.
//!
//! `member.tier_rank >= 1 && lines.exists(l, "coffee" in l.categories)`
//!
//! The crate `cel` parses and evaluates, and is named in this module alone. It knows no types before
//! it runs, so what may be said at all is decided here, when a programme is checked: the [`table`]
//! lists every name and its type, `guard` bounds what is parsed, and `check` types the
//! expression. What passes cannot fail on any purchase: there is nothing that may be absent, nothing
//! to be divided by zero, and no float. One thing is left that no type tells: a sum or a product past
//! ±(2^63 − 1) does not exist, and a condition that needs one is not met ([`Fault::Overflow`]).
//!
//! Never here: the clock, and anything that is not in [`Facts`].

mod check;
mod evaluate;
mod facts;
mod guard;
mod scope;
pub mod table;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

pub use evaluate::Fault;
pub use facts::{Facts, MemberFacts};
use scope::Attributes;
pub use scope::Scope;

/// A condition as it was written, and its compiled form or what is wrong with it. Two conditions are
/// equal when they are written alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Condition {
    source: Arc<str>,
    /// For a purchase.
    compiled: Checked,
    /// For what else it was asked about first: a programme asks about one thing.
    elsewhere: OnceLock<Arc<Elsewhere>>,
}

/// The compiled form, or what is wrong.
type Checked = Result<Arc<Compiled>, Arc<[ConditionProblem]>>;

/// A condition that asks about no purchase.
#[derive(Debug)]
struct Elsewhere {
    /// What the event it asks about may say of itself; absent: it asks about none.
    attributes: Option<Attributes>,
    compiled: Checked,
}

/// A condition that passed the checks.
#[derive(Debug)]
struct Compiled {
    program: evaluate::Program,
    named: check::Named,
}

/// What is wrong with a condition, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionProblem {
    /// Line in the text, from 1.
    pub line: u32,
    /// Character in the line, from 1.
    pub column: u32,
    /// Stable code of the problem.
    pub code: &'static str,
    /// What is wrong, in English.
    pub detail: String,
    /// What to write instead; empty where nobody can say.
    pub hint: String,
}

impl ConditionProblem {
    /// A problem at a byte of the text.
    fn at(source: &str, byte: usize, code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let before = source.get(..byte).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() as u32 + 1,
            column: before[line_start..].chars().count() as u32 + 1,
            code,
            detail: detail.into(),
            hint: hint.into(),
        }
    }
}

impl std::fmt::Display for ConditionProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.detail)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

impl Condition {
    /// Compiles a condition. What is wrong with it is told by [`Self::problems`]; such a condition is
    /// never met.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        let compiled = compile(&source, Scope::Purchase);
        Self { source, compiled, elsewhere: OnceLock::new() }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What is wrong with it; empty: nothing.
    pub fn problems(&self) -> &[ConditionProblem] {
        match &self.compiled {
            Ok(_) => &[],
            Err(problems) => problems,
        }
    }

    /// What is wrong with it where it asks about something; empty: nothing.
    pub fn problems_for(&self, scope: Scope<'_>) -> Vec<ConditionProblem> {
        self.compiled_for(scope).err().map_or_else(Vec::new, |problems| problems.to_vec())
    }

    /// Whether it is met by what it asks about.
    pub fn met_for(&self, scope: Scope<'_>, facts: &Facts) -> bool {
        self.compiled_for(scope).is_ok_and(|compiled| compiled.program.evaluate(facts) == Ok(true))
    }

    fn compiled_for(&self, scope: Scope<'_>) -> Checked {
        if matches!(scope, Scope::Purchase) {
            return self.compiled.clone();
        }
        let attributes = scope.attributes();
        let compile = || compile(&self.source, scope);
        let known =
            self.elsewhere.get_or_init(|| Arc::new(Elsewhere { attributes: attributes.cloned(), compiled: compile() }));
        if known.attributes.as_ref() == attributes { known.compiled.clone() } else { compile() }
    }

    /// Whether it is met.
    pub fn met(&self, facts: &Facts) -> bool {
        self.evaluate(facts) == Ok(true)
    }

    /// Whether it is met, or why that cannot be told.
    ///
    /// # Errors
    /// [`Fault::Overflow`] where a number left ±(2^63 − 1), [`Fault::Refused`] for a condition that has
    /// problems. [`Fault::Broken`] would be a gap in the checks.
    pub fn evaluate(&self, facts: &Facts) -> Result<bool, Fault> {
        self.compiled.as_ref().map_err(|_| Fault::Refused)?.program.evaluate(facts)
    }

    /// Whether it reads the member's birth date, which is loaded only where one does.
    pub fn reads_birthday(&self) -> bool {
        self.reads(|name| matches!(name, "member.has_birthday" | "member.days_to_birthday" | "member.birth_month"))
    }

    /// Whether it reads the tags of the member, which are loaded only where something does.
    pub fn reads_tags(&self) -> bool {
        self.reads(|name| name == "member.tags")
    }

    /// Whether it reads the segments of the member.
    pub fn reads_segments(&self) -> bool {
        self.reads(|name| name == "member.segments")
    }

    /// The segments it names that do not exist, each with its place; `known` are those that do.
    pub fn unknown_segments(&self, scope: Scope<'_>, known: &[&str]) -> Vec<ConditionProblem> {
        let compiled = self.compiled_for(scope);
        let named = compiled.iter().flat_map(|compiled| &compiled.named.segments);
        let unknown = named.filter(|(code, _)| !known.contains(&code.as_str()));
        let problem = |(code, place): &(String, usize)| {
            let (detail, hint) = (format!("there is no segment `{code}`"), check::did_you_mean(code, known));
            ConditionProblem::at(&self.source, *place, "unknown_segment", detail, hint)
        };
        unknown.map(problem).collect()
    }

    /// What it reads that has no meaning where nothing is bought and no segment is decided yet, each with its
    /// place.
    pub fn beyond_member(&self) -> Vec<ConditionProblem> {
        let own = |name: &str| name.starts_with("now.") || name.starts_with("member.") && name != "member.segments";
        let beyond = self.named().flat_map(|named| &named.reads).filter(|(name, _)| !own(name));
        let problem = |(name, place): &(&'static str, usize)| {
            let detail = format!("`{name}` is not for a segment");
            let hint = "a segment asks for `member` and `now`, and for no other segment";
            ConditionProblem::at(&self.source, *place, "not_for_segments", detail, hint)
        };
        beyond.map(problem).collect()
    }

    fn named(&self) -> impl Iterator<Item = &check::Named> {
        self.compiled.iter().map(|compiled| &compiled.named)
    }

    /// Whether the member alone decides it, whatever is bought and when.
    pub(crate) fn asks_member_alone(&self) -> bool {
        let own = |name: &str| name.starts_with("member.");
        self.compiled.as_ref().is_ok_and(|compiled| compiled.named.reads.iter().all(|(name, _)| own(name)))
    }

    /// Whether it depends on the goods, and so has to be tested again when some come back.
    pub fn reads_goods(&self) -> bool {
        self.reads(|name| matches!(name, "lines" | "purchase.amount"))
    }

    /// Whether it reads points of the member that do not follow from his purchases alone.
    pub fn reads_balance(&self) -> bool {
        self.reads(|name| matches!(name, "member.available" | "member.pending" | "member.lifetime_earned"))
    }

    fn reads(&self, wanted: impl Fn(&str) -> bool) -> bool {
        match &self.compiled {
            Ok(compiled) => compiled.named.reads.iter().any(|(name, _)| wanted(name)),
            // It asks about something else than a purchase: whatever stands in the text may be read.
            Err(_) => {
                let text: String = self.source.split_whitespace().collect();
                table::VARIABLES.iter().any(|variable| wanted(variable.name) && text.contains(variable.name))
            }
        }
    }
}

fn compile(source: &str, scope: Scope<'_>) -> Checked {
    let one = |problem| Arc::from(vec![problem]);
    guard::guard(source).map_err(one)?;
    let named = check::check(source, scope)?;
    let program = evaluate::Program::new(source).map_err(one)?;
    Ok(Arc::new(Compiled { program, named }))
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Condition {}

impl From<String> for Condition {
    fn from(source: String) -> Self {
        Self::new(source)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.source.as_ref().to_owned()
    }
}
