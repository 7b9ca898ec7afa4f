//! Operators, functions and the macros that go through lists.

use super::*;

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr, depth: usize) -> Option<Type> {
        match (&call.target, call.args.as_slice()) {
            (Some(target), args) => self.method(expr, target, &call.func_name, args, depth),
            (None, [one]) if matches!(call.func_name.as_str(), op::LOGICAL_NOT | op::NEGATE) => {
                self.unary(expr, &call.func_name, one, depth)
            }
            (None, [left, right]) if is_operator(&call.func_name) => {
                self.binary(expr, &call.func_name, left, right, depth)
            }
            (None, [test, yes, no]) if call.func_name == op::CONDITIONAL => self.choice(expr, test, yes, no, depth),
            (None, args) => self.function(expr, &call.func_name, args, depth),
        }
    }

    fn unary(&mut self, expr: &IdedExpr, name: &str, one: &IdedExpr, depth: usize) -> Option<Type> {
        let ty = self.type_of(one, depth + 1)?;
        match (name, ty) {
            (op::LOGICAL_NOT, BOOL) => Some(BOOL),
            (op::NEGATE, Type::One(item)) if item.adds() => Some(ty),
            (op::LOGICAL_NOT, _) => self.wrong(expr, format!("`!` is for true or false, and this is {ty}")),
            _ => self.wrong(expr, format!("`-` is for numbers, and this is {ty}")),
        }
    }

    /// Both sides, so that the problems of both are told.
    fn both(&mut self, left: &IdedExpr, right: &IdedExpr, depth: usize) -> Option<(Type, Type)> {
        let (l, r) = (self.type_of(left, depth + 1), self.type_of(right, depth + 1));
        let (l, r) = l.zip(r)?;
        Some((self.segment(left, l, r), self.segment(right, r, l)))
    }

    /// The type of one side of an operation. A text that is written out beside a segment names one.
    fn segment(&mut self, side: &IdedExpr, own: Type, other: Type) -> Type {
        match (&side.expr, own, other) {
            (
                Expr::Literal(LiteralValue::String(code)),
                TEXT,
                Type::One(Item::Segment) | Type::List(Item::Segment, _),
            ) => {
                let place = self.byte(side);
                self.named.segments.push((code.inner().to_owned(), place));
                Type::One(Item::Segment)
            }
            _ => own,
        }
    }

    fn binary(&mut self, expr: &IdedExpr, name: &str, left: &IdedExpr, right: &IdedExpr, depth: usize) -> Option<Type> {
        let (l, r) = self.both(left, right, depth)?;
        let sign = sign_of(name);
        match name {
            op::LOGICAL_AND | op::LOGICAL_OR => {
                for (side, ty) in [(left, l), (right, r)] {
                    if ty != BOOL {
                        return self.wrong(side, format!("`{sign}` is for true or false, and this is {ty}"));
                    }
                }
                Some(BOOL)
            }
            op::IN => self.within(expr, l, r),
            op::EQUALS | op::NOT_EQUALS => match (l, r) {
                (Type::One(a), Type::One(b)) if a == b && a.compares() => Some(BOOL),
                _ => self.mismatch(expr, sign, l, r),
            },
            op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS => match (l, r) {
                (Type::One(a), Type::One(b)) if a == b && a.orders() => Some(BOOL),
                _ => self.mismatch(expr, sign, l, r),
            },
            op::ADD | op::SUBSTRACT => match (l, r) {
                (Type::One(a), Type::One(b)) if a == b && a.adds() => Some(l),
                _ => self.mismatch(expr, sign, l, r),
            },
            _ if (l, r) != (INT, INT) => self.mismatch(expr, sign, l, r),
            op::DIVIDE | op::MODULO => match &right.expr {
                Expr::Literal(LiteralValue::Int(by)) if *by.inner() != 0 => Some(INT),
                _ => {
                    let hint = "divide by a number that is written out, or multiply the other side";
                    self.refuse(right, "divisor", format!("`{sign}` needs a number that is never 0"), hint)
                }
            },
            _ => Some(INT),
        }
    }

    fn within(&mut self, expr: &IdedExpr, l: Type, r: Type) -> Option<Type> {
        match (l, r) {
            (Type::One(a), Type::List(b, most)) if a == b && a.compares() => {
                self.spend(expr, most)?;
                Some(BOOL)
            }
            (TEXT, Type::List(Item::Segment, _)) => {
                let detail = "only a segment that is written out can be looked for";
                self.refuse(expr, "wrong_type", detail, "`\"regulars\" in member.segments`")
            }
            (TEXT, TEXT) => {
                let detail = "`in` looks through a list, and this is a text";
                self.refuse(expr, "wrong_type", detail, "`text.contains(\"…\")` looks through a text")
            }
            (Type::One(_), Type::List(Item::Line | Item::Tender, _)) => {
                let detail = format!("`in` cannot find {l} in {r}");
                self.refuse(expr, "wrong_type", detail, "ask for a field: `.exists(x, x.… == …)`")
            }
            _ => self.wrong(expr, format!("`in` cannot find {l} in {r}")),
        }
    }

    fn mismatch(&mut self, expr: &IdedExpr, sign: &str, l: Type, r: Type) -> Option<Type> {
        let items = |ty| match ty {
            Type::One(item) => Some(item),
            Type::List(..) => None,
        };
        let hint = match (items(l), items(r)) {
            (Some(Item::Quantity), Some(Item::Int)) | (Some(Item::Int), Some(Item::Quantity)) => {
                "write the number as `quantity(2)`"
            }
            (Some(Item::Text), Some(Item::Int)) | (Some(Item::Int), Some(Item::Text)) => {
                "numbers stand without quotes, texts with"
            }
            (Some(Item::Text), Some(Item::Text)) => "texts can be compared, not calculated with",
            (None, _) | (_, None) => "go through the list with `.exists(x, …)`, `count(…)` or `sum(…)`",
            _ => "",
        };
        self.refuse(expr, "wrong_type", format!("`{sign}` does not go with {l} and {r}"), hint)
    }

    fn wrong(&mut self, expr: &IdedExpr, detail: String) -> Option<Type> {
        self.refuse(expr, "wrong_type", detail, "")
    }

    fn choice(
        &mut self,
        expr: &IdedExpr,
        test: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
        depth: usize,
    ) -> Option<Type> {
        let tested = self.type_of(test, depth + 1);
        let (yes, no) = self.both(yes, no, depth)?;
        let tested = tested?;
        if tested != BOOL {
            return self.wrong(test, format!("what stands before `?` is true or false, and this is {tested}"));
        }
        match (yes, no) {
            (Type::List(a, most), Type::List(b, other)) if a == b => Some(Type::List(a, most.max(other))),
            _ if yes == no => Some(yes),
            _ => self.wrong(expr, format!("`?` gives {yes} or {no}; both must be of one kind")),
        }
    }

    fn function(&mut self, expr: &IdedExpr, name: &str, args: &[IdedExpr], depth: usize) -> Option<Type> {
        match (name, args) {
            ("quantity", [one]) => self.quantity(one),
            ("size" | "count" | "sum", [one]) => {
                let ty = self.type_of(one, depth + 1)?;
                match (name, ty) {
                    ("size" | "count", Type::List(_, most)) | ("sum", Type::List(Item::Int | Item::Quantity, most)) => {
                        self.spend(expr, most)?;
                        Some(match ty {
                            Type::List(item, _) if name == "sum" => Type::One(item),
                            _ => INT,
                        })
                    }
                    ("size", TEXT) => Some(INT),
                    ("sum", Type::List(Item::Line | Item::Tender, _)) => {
                        let hint = "sum a field of them: `sum(lines.map(x, x.amount))`";
                        self.refuse(one, "wrong_arguments", format!("`sum` adds numbers, and this is {ty}"), hint)
                    }
                    _ => self.refuse(one, "wrong_arguments", format!("`{name}` is for a list, and this is {ty}"), ""),
                }
            }
            ("quantity" | "size" | "count" | "sum", _) => {
                self.refuse(expr, "wrong_arguments", format!("`{name}` takes one argument"), form_of(name))
            }
            ("has", _) => {
                let hint = "everything has a value: a text that is absent is \"\"";
                self.refuse(expr, "unknown_function", "`has` is not for conditions", hint)
            }
            (op::INDEX, [list, _]) => {
                let hint = "there may be none: ask for any with `.exists(x, …)`";
                self.refuse(list, "not_supported", "a list is not read by position", hint)
            }
            _ if LOOPS.contains(&name) || METHODS.contains(&name) => {
                self.refuse(expr, "unknown_function", format!("`{name}` stands after a dot"), form_of(name))
            }
            _ => {
                let hint = did_you_mean(name, &["count", "sum", "size", "quantity"]);
                self.refuse(expr, "unknown_function", format!("there is no function `{name}`"), hint)
            }
        }
    }

    /// A quantity that is written out: what is calculated might be none.
    fn quantity(&mut self, written: &IdedExpr) -> Option<Type> {
        let parsed = match &written.expr {
            Expr::Literal(LiteralValue::Int(whole)) => whole.inner().to_string().parse::<Quantity>().ok(),
            Expr::Literal(LiteralValue::String(text)) => text.inner().parse().ok(),
            _ => None,
        };
        match parsed {
            Some(_) => Some(Type::One(Item::Quantity)),
            None => {
                let detail = "`quantity` takes a number that is written out, with at most 3 places";
                self.refuse(written, "wrong_arguments", detail, "`quantity(2)` or `quantity(\"0.5\")`")
            }
        }
    }

    fn method(
        &mut self,
        expr: &IdedExpr,
        target: &IdedExpr,
        name: &str,
        args: &[IdedExpr],
        depth: usize,
    ) -> Option<Type> {
        if LOOPS.contains(&name) {
            return self.going_through(expr, target, name, args, depth);
        }
        let on = self.type_of(target, depth + 1)?;
        match (name, on, args) {
            ("startsWith" | "endsWith" | "contains", TEXT, [other]) => match self.type_of(other, depth + 1)? {
                TEXT => Some(BOOL),
                ty => self.refuse(other, "wrong_arguments", format!("`{name}` takes a text, and this is {ty}"), ""),
            },
            ("size", TEXT | Type::List(..), []) => Some(INT),
            ("contains", Type::List(..), _) => {
                let detail = "`contains` looks through a text, and this is a list";
                self.refuse(expr, "wrong_type", detail, "write `x in list`")
            }
            _ if METHODS.contains(&name) && on == TEXT => {
                self.refuse(expr, "wrong_arguments", format!("`{name}` takes other arguments"), form_of(name))
            }
            ("count" | "sum" | "quantity", ..) => {
                self.refuse(expr, "unknown_function", format!("`{name}` does not stand after a dot"), form_of(name))
            }
            _ if METHODS.contains(&name) => self.wrong(expr, format!("`{name}` is not for {on}")),
            _ => {
                let known = if matches!(on, Type::List(..)) { LOOPS } else { METHODS };
                let hint = did_you_mean(name, known);
                self.refuse(expr, "unknown_function", format!("{on} has no `{name}`"), hint)
            }
        }
    }

    /// `list.exists(x, test)` and its like.
    fn going_through(
        &mut self,
        expr: &IdedExpr,
        target: &IdedExpr,
        name: &str,
        args: &[IdedExpr],
        depth: usize,
    ) -> Option<Type> {
        let on = self.type_of(target, depth + 1)?;
        let Type::List(item, most) = on else {
            return self.wrong(expr, format!("`{name}` goes through a list, and this is {on}"));
        };
        let (variable, tests, value) = match (name, args) {
            ("map", [variable, value]) => (variable, None, Some(value)),
            ("map", [variable, test, value]) => (variable, Some(test), Some(value)),
            (_, [variable, test]) if name != "map" => (variable, Some(test), None),
            _ => return self.refuse(expr, "wrong_arguments", format!("`{name}` takes other arguments"), form_of(name)),
        };
        let variable = self.variable(variable)?;
        if self.loops.len() >= LOOPS_MAX {
            let detail = format!("more than {LOOPS_MAX} loops stand within each other");
            return self.refuse(expr, "too_deep", detail, "take it apart");
        }
        let times = self.times;
        self.times = times.saturating_mul(most.max(1).into());
        self.loops.push(Loop { name: variable, item });
        let tested = tests.map(|test| (test, self.type_of(test, depth + 1)));
        let mapped = value.map(|value| (value, self.type_of(value, depth + 1)));
        self.loops.pop();
        self.times = times;
        if let Some((test, tested)) = tested {
            let ty = tested?;
            if ty != BOOL {
                return self.wrong(test, format!("the test of `{name}` is true or false, and this is {ty}"));
            }
        }
        match mapped {
            Some((_, Some(Type::One(item)))) => Some(Type::List(item, most)),
            Some((value, Some(Type::List(..)))) => {
                self.refuse(value, "mixed_list", "`map` would give a list of lists", "map to one value of each")
            }
            Some((_, None)) => None,
            None if name == "filter" => Some(on),
            None => Some(BOOL),
        }
    }

    /// The name that a loop gives to each: a new one.
    fn variable(&mut self, named: &IdedExpr) -> Option<String> {
        let Expr::Ident(name) = &named.expr else {
            return self.refuse(named, "wrong_arguments", "first comes a name for each of them", form_of("exists"));
        };
        let taken = name.starts_with('.')
            || self.scope.is_group(name)
            || self.scope.variable(name).is_some()
            || self.loops.iter().any(|own| &own.name == name);
        if taken {
            let detail = format!("`{name}` means something else already");
            return self.refuse(named, "name_taken", detail, "take a new name, such as `x`");
        }
        Some(name.clone())
    }
}

const LOOPS: &[&str] = &["exists", "all", "exists_one", "filter", "map"];
const METHODS: &[&str] = &["startsWith", "endsWith", "contains", "size"];

/// How a function is written.
fn form_of(name: &str) -> String {
    let of = |form: &str| form.split(['.', '(']).any(|part| part == name);
    let form = table::FUNCTIONS.iter().find(|(form, _)| of(form));
    form.map_or_else(String::new, |(form, _)| format!("it is written `{form}`"))
}

/// The operators with two sides, and how they are written.
const SIGNS: [(&str, &str); 14] = [
    (op::LOGICAL_AND, "&&"),
    (op::LOGICAL_OR, "||"),
    (op::EQUALS, "=="),
    (op::NOT_EQUALS, "!="),
    (op::LESS, "<"),
    (op::LESS_EQUALS, "<="),
    (op::GREATER, ">"),
    (op::GREATER_EQUALS, ">="),
    (op::ADD, "+"),
    (op::SUBSTRACT, "-"),
    (op::MULTIPLY, "*"),
    (op::DIVIDE, "/"),
    (op::MODULO, "%"),
    (op::IN, "in"),
];

fn is_operator(name: &str) -> bool {
    SIGNS.iter().any(|(operator, _)| *operator == name)
}

fn sign_of(name: &str) -> &'static str {
    SIGNS.iter().find(|(operator, _)| *operator == name).map_or("", |(_, sign)| sign)
}
