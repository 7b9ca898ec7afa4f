//! Evaluating a checked condition: the crate's interpreter over values that are read from the facts
//! when they are asked for, and not before.

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelInt, CelList, CelString, INT_TYPE, LIST_TYPE, STRING_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

use super::table::{self, Fact, Field};
use super::{ConditionProblem, Facts, check};
use crate::amount::Quantity;
use crate::command::{Line, Tender};
use crate::event::AttributeValue;

/// Why a condition could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A sum or a product left ±(2^63 − 1).
    Overflow,
    /// The condition has problems.
    Refused,
    /// The interpreter failed on what the checks had passed.
    Broken(String),
}

/// An expression with its macros expanded, ready to run.
#[derive(Debug)]
pub(super) struct Program(IdedExpr);

/// The standard functions and ours. What the checks do not pass is never called.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    let declared = [
        env.add_overload("count", "count_list", vec![LIST_TYPE], count),
        env.add_overload("sum", "sum_list", vec![LIST_TYPE], sum),
        env.add_overload("quantity", "quantity_int", vec![INT_TYPE], quantity),
        env.add_overload("quantity", "quantity_text", vec![STRING_TYPE], quantity),
    ];
    debug_assert!(declared.iter().all(Result::is_ok), "names that the standard library leaves free");
    Arc::new(env)
});

impl Program {
    pub(super) fn new(source: &str) -> Result<Self, ConditionProblem> {
        let parsed = ENVIRONMENT.parser().parse(source);
        parsed.map(Self).map_err(|errors| check::unparsed(source, &errors))
    }

    pub(super) fn evaluate(&self, facts: &Facts) -> Result<bool, Fault> {
        let resolver = Resolver(facts);
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.set_variable_resolver(&resolver);
        match Value::resolve_val(&self.0, &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(met) => Ok(*met.inner()),
                None => Err(Fault::Broken(format!("not a truth: {value:?}"))),
            },
            Err(ExecutionError::Overflow(..)) => Err(Fault::Overflow),
            Err(error) => Err(Fault::Broken(error.to_string())),
        }
    }
}

/// Looks variables up by their full name: the interpreter asks for `member.tier` before `member`.
struct Resolver<'f>(&'f Facts);

impl VariableResolver for Resolver<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(variable) = table::variable(name) {
            return Some(CowVal::Owned(value((variable.get)(self.0))));
        }
        let said = self.0.event.as_ref()?.get(name.strip_prefix("event.")?)?;
        Some(CowVal::Owned(value(match said {
            AttributeValue::Boolean(truth) => Fact::Bool(*truth),
            AttributeValue::Integer(number) => Fact::Int(*number),
            AttributeValue::String(text) => Fact::Text(text.as_str().into()),
        })))
    }
}

fn value<'f>(fact: Fact<'f>) -> Box<dyn Val + 'f> {
    match fact {
        Fact::Bool(truth) => Box::new(CelBool::from(truth)),
        Fact::Int(number) => Box::new(CelInt::from(number)),
        Fact::Text(text) => Box::new(CelString::from(text)),
        Fact::Texts(texts) => list(texts, |text| Box::new(CelString::from(text.as_str()))),
        Fact::Lines(lines) => list(lines, |line| Box::new(Record(line))),
        Fact::Tenders(tenders) => list(tenders, |tender| Box::new(Record(tender))),
    }
}

fn list<'f, T>(items: &'f [T], one: impl Fn(&'f T) -> Box<dyn Val + 'f>) -> Box<dyn Val + 'f> {
    Box::new(CelList::from(items.iter().map(one).collect::<Vec<_>>()))
}

/// A line or a tender, read field by field through the table.
#[derive(Debug)]
struct Record<'f, T>(&'f T);

/// What has a table of fields.
trait Fields: Debug + Send + Sync + Sized + 'static {
    fn fields() -> &'static [Field<Self>];
}

impl Fields for Line {
    fn fields() -> &'static [Field<Self>] {
        table::LINE
    }
}

impl Fields for Tender {
    fn fields() -> &'static [Field<Self>] {
        table::TENDER
    }
}

static RECORD: Type = Type::new_unspecified_type("record");

impl<T: Fields> Val for Record<'_, T> {
    fn get_type(&self) -> &Type {
        &RECORD
    }

    fn cel_type() -> &'static Type {
        &RECORD
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0))
    }
}

impl<T: Fields> Indexer for Record<'_, T> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name.downcast_ref::<CelString<'_>>().map_or("", |name| name.inner());
        let field = T::fields().iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| ExecutionError::no_such_key(name))?;
        Ok(CowVal::Owned(value((field.get)(self.0))))
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

type Called<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn int<'b, 'v>(number: i64) -> Called<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(number)))
}

/// The numbers of a list.
fn numbers(list: &dyn Val) -> impl Iterator<Item = Option<i64>> {
    let mut items = list.as_iterable().map(|list| list.iter());
    std::iter::from_fn(move || items.as_mut()?.next().map(|item| item.downcast_ref::<CelInt>().map(|n| *n.inner())))
}

fn count<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    int(numbers(args[0].as_ref()).count() as i64)
}

fn sum<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    // Wide, so that the order of the numbers never matters.
    let mut sum = 0_i128;
    for number in numbers(args[0].as_ref()) {
        sum += i128::from(number.ok_or_else(|| ExecutionError::function_error("sum", "not a number"))?);
    }
    int(i64::try_from(sum).map_err(|_| ExecutionError::Overflow("sum", Value::Null, Value::Null))?)
}

fn quantity<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    let text = match (args[0].downcast_ref::<CelInt>(), args[0].downcast_ref::<CelString<'_>>()) {
        (Some(whole), _) => whole.inner().to_string(),
        (None, text) => text.map_or("", |text| text.inner()).to_owned(),
    };
    let quantity = Quantity::from_str(&text).map_err(|error| ExecutionError::function_error("quantity", error))?;
    int(quantity.units())
}
