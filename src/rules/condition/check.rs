//! The type checker. It reads the expression as it was written, with its macros as calls, gives every
//! part a type by the table, and refuses what has none, with its place and a hint.

use cel::common::ast::{CallExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators as op};
use cel::{Env, IdedExpr, ParseErrors};

use super::ConditionProblem;
use super::guard::{DEPTH_MAX, too_deep};
use super::scope::Scope;
use super::table::{self, Item, Type};
use crate::amount::Quantity;

mod calls;

/// Loops within loops.
const LOOPS_MAX: usize = 2;
/// Steps that an evaluation may take on the largest receipt.
const COST_MAX: u64 = 300_000;
/// Problems that are told at once.
const PROBLEMS_MAX: usize = 10;

const BOOL: Type = Type::One(Item::Bool);
const INT: Type = Type::One(Item::Int);
const TEXT: Type = Type::One(Item::Text);

/// What a condition names, each with the byte where it stands.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Variables of the table.
    pub(super) reads: Vec<(&'static str, usize)>,
    /// Segments, by code.
    pub(super) segments: Vec<(String, usize)>,
}

/// Checks a condition and tells what it names.
pub(super) fn check(source: &str, scope: Scope<'_>) -> Result<Named, Vec<ConditionProblem>> {
    // Without macros calls are left as they were written, each with its own place.
    let parser = Env::default().with_optional_support(false).parser();
    let (expr, places) = parser.parse_with_source_info(source).map_err(|errors| vec![unparsed(source, &errors)])?;
    let mut checker = Checker {
        source,
        scope,
        places,
        loops: Vec::new(),
        named: Named::default(),
        problems: Vec::new(),
        cost: 0,
        times: 1,
    };
    let ty = checker.type_of(&expr, 1);
    if let Some(ty) = ty.filter(|ty| *ty != BOOL) {
        let hint = match ty {
            Type::List(..) => "ask something of it, as in `.exists(x, …)` or `count(…) > 0`",
            Type::One(_) => "compare it with something, as in `… >= 1`",
        };
        checker.refuse::<()>(&expr, "not_a_test", format!("a condition is true or false, and this is {ty}"), hint);
    }
    match ty {
        Some(BOOL) if checker.problems.is_empty() => Ok(checker.named),
        _ => Err(checker.problems),
    }
}

/// The first thing that the parser did not understand, in fewer words.
pub(super) fn unparsed(source: &str, errors: &ParseErrors) -> ConditionProblem {
    // The parser has a bound of its own, and says so among what follows from it.
    let deep = errors.errors.iter().find(|error| error.msg.contains("Recursion limit"));
    let first = deep.or(errors.errors.first());
    let place = |number: isize| u32::try_from(number).unwrap_or(1).max(1);
    let (line, column) = first.map_or((1, 1), |error| (place(error.pos.0), place(error.pos.1)));
    if deep.is_some() {
        return ConditionProblem { line, column, ..too_deep(source, 0) };
    }
    let said = first.map_or("", |error| error.msg.as_str());
    let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
    let not_understood = said.strip_prefix("token recognition error at: ");
    let (detail, hint) = if source.trim().is_empty() {
        ("the condition is empty".to_owned(), "leave `when` out")
    } else if said.contains("'<EOF>'") {
        ("the condition ends where something is missing".to_owned(), "complete it, or close a bracket")
    } else if not_understood.is_some_and(|what| what.starts_with("'\"") || what.starts_with("''")) {
        ("a text is not closed".to_owned(), "end it with the quote that it began with")
    } else if let Some(what) = not_understood {
        (format!("{what} is not understood here"), "texts stand in quotes: \"coffee\"")
    } else {
        (said.split(" expecting ").next().unwrap_or(said).to_owned(), "")
    };
    ConditionProblem { line, column, code: "syntax", detail, hint: hint.to_owned() }
}

/// The variable of a loop.
struct Loop {
    name: String,
    item: Item,
}

struct Checker<'s> {
    source: &'s str,
    scope: Scope<'s>,
    places: SourceInfo,
    /// Variables of the loops around, outermost first.
    loops: Vec<Loop>,
    named: Named,
    problems: Vec<ConditionProblem>,
    /// Steps counted so far.
    cost: u64,
    /// How often what is being checked may run.
    times: u64,
}

impl Checker<'_> {
    /// The type of an expression; absent where a problem was noted.
    fn type_of(&mut self, expr: &IdedExpr, depth: usize) -> Option<Type> {
        if depth > DEPTH_MAX {
            let problem = too_deep(self.source, self.byte(expr));
            return self.note(problem);
        }
        self.spend(expr, 1)?;
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.select(expr, select, depth),
            Expr::Call(call) => self.call(expr, call, depth),
            Expr::List(list) => self.list(expr, &list.elements, depth),
            Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => {
                self.refuse(expr, "not_supported", "maps and messages are not for conditions", "a list stands in [ ]")
            }
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Type> {
        match literal {
            LiteralValue::Boolean(_) => Some(BOOL),
            LiteralValue::Int(_) => Some(INT),
            LiteralValue::String(_) => Some(TEXT),
            LiteralValue::Double(_) => {
                let hint = "money is in minor units: 12.50 is 1250; a part of a piece is `quantity(\"0.5\")`";
                self.refuse(expr, "float", "a decimal number is not exact", hint)
            }
            LiteralValue::UInt(_) => self.refuse(expr, "not_supported", "unsigned numbers", "leave the `u` out"),
            LiteralValue::Bytes(_) => self.refuse(expr, "not_supported", "bytes", "leave the `b` out"),
            LiteralValue::Null => {
                let hint = "nothing is ever null: a text that is absent is \"\"";
                self.refuse(expr, "not_supported", "null is not for conditions", hint)
            }
        }
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Option<Type> {
        if let Some(own) = self.loops.iter().rev().find(|own| own.name == name) {
            return Some(Type::One(own.item));
        }
        if let Some((variable, ty)) = self.scope.variable(name) {
            return self.read(expr, variable, ty);
        }
        if let Some(one) = self.scope.members(name).first() {
            let (detail, hint) =
                (format!("`{name}` has no value of its own"), format!("name one of its fields: `{name}.{one}`"));
            return self.refuse(expr, "not_a_value", detail, hint);
        }
        let mut known: Vec<&str> = self.scope.groups();
        known.extend(self.loops.iter().map(|own| own.name.as_str()));
        let hint = did_you_mean(name, &known);
        self.refuse(expr, "unknown_name", format!("there is no `{name}`"), hint)
    }

    /// A variable of the table.
    fn read(&mut self, expr: &IdedExpr, name: &'static str, ty: Type) -> Option<Type> {
        let place = self.byte(expr);
        self.named.reads.push((name, place));
        self.found(expr, ty)
    }

    /// The type of a value; whoever reads a list pays for its length.
    fn found(&mut self, expr: &IdedExpr, ty: Type) -> Option<Type> {
        if let Type::List(_, most) = ty {
            self.spend(expr, most)?;
        }
        Some(ty)
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr, depth: usize) -> Option<Type> {
        let field = select.field.as_str();
        if let Expr::Ident(group) = &select.operand.expr
            && self.scope.is_group(group)
            && !self.loops.iter().any(|own| &own.name == group)
        {
            return match self.scope.variable(&format!("{group}.{field}")) {
                Some((variable, ty)) => self.read(expr, variable, ty),
                None => {
                    let hint = did_you_mean(field, &self.scope.members(group));
                    self.refuse_field(expr, "unknown_field", format!("`{group}` has no `{field}`"), hint)
                }
            };
        }
        let ty = self.type_of(&select.operand, depth + 1)?;
        let (Type::One(item) | Type::List(item, _)) = ty;
        let fields = table::fields(item);
        let found = fields.iter().find(|(name, _)| *name == field).map(|&(_, ty)| ty);
        if let (Type::One(_), Some(ty)) = (ty, found) {
            return self.found(expr, ty);
        }
        let hint = match ty {
            Type::One(_) if fields.is_empty() => String::new(),
            Type::One(_) => did_you_mean(field, &fields.iter().map(|&(name, _)| name).collect::<Vec<_>>()),
            Type::List(..) if found.is_none() => String::new(),
            Type::List(..) => {
                format!("ask for any with `.exists(x, x.{field} …)`, or for each with `.map(x, x.{field})`")
            }
        };
        self.refuse_field(expr, "unknown_field", format!("{ty} has no `{field}`"), hint)
    }

    fn list(&mut self, expr: &IdedExpr, elements: &[IdedExpr], depth: usize) -> Option<Type> {
        let types: Vec<Option<Type>> = elements.iter().map(|element| self.type_of(element, depth + 1)).collect();
        let mut of = None;
        for (element, ty) in elements.iter().zip(types) {
            match (ty?, of) {
                (Type::List(..), _) => {
                    return self.refuse(element, "mixed_list", "a list of lists", "leave one [ ] out");
                }
                (Type::One(item), None) => of = Some(item),
                (Type::One(item), Some(first)) if item == first => {}
                (ty, Some(first)) => {
                    let detail = format!("the list begins with {}, and this is {ty}", Type::One(first));
                    return self.refuse(element, "mixed_list", detail, "a list holds things of one kind");
                }
            }
        }
        match of {
            Some(item) => Some(Type::List(item, elements.len() as u32)),
            None => self.refuse(expr, "empty_list", "the list is empty", "name what may be in it"),
        }
    }

    /// Counts steps, each as often as the loops around run.
    fn spend(&mut self, expr: &IdedExpr, steps: u32) -> Option<()> {
        let before = self.cost;
        self.cost = before.saturating_add(self.times.saturating_mul(steps.into()));
        if self.cost <= COST_MAX {
            return Some(());
        }
        // Told once: everything after it costs too much as well.
        if before > COST_MAX {
            return None;
        }
        let detail = format!("on a receipt of 1000 lines this takes more than {COST_MAX} steps");
        self.refuse(expr, "too_costly", detail, "do not go through the lines for every line")
    }

    fn note<T>(&mut self, problem: ConditionProblem) -> Option<T> {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
        None
    }

    fn refuse<T>(
        &mut self,
        expr: &IdedExpr,
        code: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        let problem = ConditionProblem::at(self.source, self.byte(expr), code, detail, hint);
        self.note(problem)
    }

    /// Refuses a selection at the field and not at the dot before it.
    fn refuse_field<T>(
        &mut self,
        expr: &IdedExpr,
        code: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        let problem = ConditionProblem::at(self.source, self.start(expr) + 1, code, detail, hint);
        self.note(problem)
    }

    /// Where an expression stands: an operation at its operator, a call at its function, and everything
    /// else at its first byte.
    fn byte(&self, expr: &IdedExpr) -> usize {
        let start = self.start(expr);
        match &expr.expr {
            Expr::Select(select) => self.byte(&select.operand),
            // What is noted of a call is the place of its bracket.
            Expr::Call(call) if self.source.get(start..).is_some_and(|rest| rest.starts_with('(')) => {
                start.saturating_sub(call.func_name.len())
            }
            _ => start,
        }
    }

    /// The first byte that the parser noted for an expression.
    fn start(&self, expr: &IdedExpr) -> usize {
        self.places.offset_for(expr.id).map_or(0, |(start, _)| start as usize)
    }
}

/// The name that was probably meant, else all of them.
pub(super) fn did_you_mean(name: &str, known: &[&str]) -> String {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    match known.iter().copied().min_by_key(distance) {
        Some(near) if distance(&near) <= near.len().max(name.len()) / 3 => format!("did you mean `{near}`?"),
        _ if known.is_empty() => String::new(),
        _ => {
            let mut known = known.to_vec();
            known.dedup();
            format!("there are `{}`", known.join("`, `"))
        }
    }
}
