//! From bytes to types, and from serde's messages to ours: which field, which mistake, in words.
//!
//! Nothing here knows what a field means. What comes out is either a value whose every field has
//! been checked by its type, or a problem that points at the field at fault.

use std::fmt::Write as _;

use actix_web::web;
use serde::Deserializer;
use serde::de::value::{MapDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};
use tessera_rules::text::Text;

use super::error::{Code, Problem, both};

/// Reads a JSON object.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Keeping track of the path takes as long as reading: only a mistake is read again to find it.
    let value = serde_json::from_slice(bytes).or_else(|_| from_json_by_path(bytes))?;
    // Serde reads a struct from an array too, field by field: not from ours.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::field(Code::InvalidField, "", "invalid_type", expected("a map")));
    }
    refuse_nul(bytes)?;
    Ok(value)
}

fn from_json_by_path<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => value,
        Err(error) if error.inner().classify() == Category::Data => {
            let message = error.inner().to_string();
            let end = message.rfind(" at line ").unwrap_or(message.len());
            return Err(explain(&message[..end], error.path(), None));
        }
        Err(error) => {
            // Valid JSON, but beyond what any number of ours can be.
            let beyond = error.inner().to_string().starts_with("number out of range");
            return Err(if beyond { explain(TOO_LARGE, error.path(), None) } else { malformed(error.inner()) });
        }
    };
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson).with_detail(both(
        format!("The body is not valid JSON: line {}, column {}.", error.line(), error.column()),
        format!("请求体不是有效的 JSON：第 {} 行，第 {} 列。", error.line(), error.column()),
    ))
}

/// PostgreSQL has no text with U+0000: it is refused here, where the field can be named.
fn refuse_nul(bytes: &[u8]) -> Result<(), Problem> {
    if !bytes.windows(6).any(|window| window == b"\\u0000") {
        return Ok(());
    }
    let found = serde_json::from_slice(bytes).ok().and_then(|value: Value| nul_in(&value));
    found.map_or(Ok(()), |pointer| Err(nul(Code::InvalidField, pointer)))
}

fn nul(code: Code, pointer: String) -> Problem {
    Problem::field(code, pointer, "invalid_value", both("U+0000 is not allowed.", "不允许包含 U+0000 字符。"))
}

fn nul_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| nul_in(item).map(|rest| format!("/{i}{rest}")))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, item)| {
            let rest = if key.contains('\0') { Some(String::new()) } else { nul_in(item) };
            rest.map(|rest| format!("/{}{rest}", escape(key)))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Reads a query string.
pub(super) fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let Ok(web::Query(pairs)) = web::Query::<Vec<(String, String)>>::from_query(query) else {
        return Err(Code::InvalidQuery.into());
    };
    if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(nul(Code::InvalidQuery, format!("/{}", escape(name))));
    }
    let parts = pairs.into_iter().map(|(name, value)| (name, Part(value)));
    serde_path_to_error::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(parts))
        .map_err(|error| explain(&error.inner().to_string(), error.path(), Some(Code::InvalidQuery)))
}

/// Says which field is at fault and why. Of a query, every mistake has the one code.
fn explain(message: &str, path: &Path, of_query: Option<Code>) -> Problem {
    let named = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let wanted = message.rsplit_once(", expected ").map(|(_, wanted)| wanted);
    let (code, field, mistake, detail) = if let Some(field) = named("unknown field `") {
        (Code::UnknownField, Some(field), "unknown_field", both("There is no such field.", "没有此字段。"))
    } else if let Some(field) = named("missing field `") {
        (Code::MissingField, Some(field), "missing_field", both("This field is required.", "此字段为必填项。"))
    } else if let Some(field) = named("duplicate field `") {
        (Code::InvalidField, Some(field), "duplicate_field", both("This field is given twice.", "此字段重复出现。"))
    } else if message.starts_with("unknown variant `") {
        (Code::InvalidField, None, "unknown_value", expected(wanted.unwrap_or("another value")))
    } else if message.starts_with("invalid type: ") || message.starts_with("invalid length ") {
        (Code::InvalidField, None, "invalid_type", expected(wanted.unwrap_or("another type")))
    } else if message.starts_with("invalid value: ") {
        (Code::InvalidField, None, "invalid_value", expected(wanted.unwrap_or("another value")))
    } else {
        (Code::InvalidField, None, "invalid_value", translated(message))
    };
    Problem::field(of_query.unwrap_or(code), pointer(path, field), mistake, detail)
}

/// What serde expected, in words that name no Rust type.
fn expected(wanted: &str) -> Text {
    const INTEGERS: [&str; 10] = ["i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32", "u64", "usize"];
    let (en, zh) = match wanted {
        _ if INTEGERS.contains(&wanted) => ("an integer", "整数"),
        "a map" => ("an object", "对象"),
        "a sequence" => ("an array", "数组"),
        "a string" => ("a string", "字符串"),
        "a boolean" => ("true or false", "布尔值"),
        _ if ["struct ", "tuple ", "internally tagged ", "adjacently tagged "]
            .iter()
            .any(|of| wanted.starts_with(of)) =>
        {
            ("an object", "对象")
        }
        other => (other.strip_prefix("expected ").unwrap_or(other), other),
    };
    both(format!("Expected {en}."), format!("应为{zh}。"))
}

const TOO_LARGE: &str = "the amount is outside ±(2^53 − 1)";

/// What the types of the rulebook and of `chrono` say, by how it begins.
const SAYINGS: &[(&str, &str, &str)] = &[
    (TOO_LARGE, "Amounts lie within ±(2^53 − 1).", "数值应在 ±(2^53 − 1) 范围内。"),
    ("not a valid id", "This is no id of this kind.", "编号格式不正确。"),
    ("not an ISO 4217", "Expected three capital letters (ISO 4217).", "应为三个大写字母的 ISO 4217 币种代码。"),
    ("must be 1 to 100", "Expected 1 to 100.", "应为 1 至 100。"),
    (
        "expected an integer or a decimal",
        "Expected an integer or a decimal string such as \"1.5\".",
        "应为整数或小数字符串，例如 \"1.5\"。",
    ),
    ("input ", "Expected a date or an instant (RFC 3339).", "应为 RFC 3339 格式的日期或时间。"),
    ("premature end of input", "Expected a date or an instant (RFC 3339).", "应为 RFC 3339 格式的日期或时间。"),
    ("trailing input", "Expected a date or an instant (RFC 3339).", "应为 RFC 3339 格式的日期或时间。"),
];

fn translated(message: &str) -> Text {
    if let Some((_, en, zh)) = SAYINGS.iter().find(|(start, ..)| message.starts_with(start)) {
        return both(*en, *zh);
    }
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    both(format!("{first}{}.", letters.as_str()), format!("值无效（{message}）。"))
}

/// RFC 6901. `field` is named by the message; inside tagged enums the path stops short of it.
fn pointer(path: &Path, field: Option<&str>) -> String {
    let mut pointer = String::new();
    let mut last = None;
    for segment in path {
        // Writing to a string cannot fail.
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", escape(key)),
            Segment::Enum { variant } => write!(pointer, "/{}", escape(variant)),
            Segment::Unknown => Ok(()),
        };
        last = Some(segment);
    }
    let there_already = matches!((last, field), (Some(Segment::Map { key }), Some(field)) if key == field);
    if let Some(field) = field.filter(|_| !there_already) {
        let _ = write!(pointer, "/{}", escape(field));
    }
    pointer
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text of one query parameter, read as whatever its field is.
struct Part(String);

impl<'de> IntoDeserializer<'de> for Part {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parse {
    ($($method:ident => $visit:ident: $name:literal,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Self::Error::custom(concat!("invalid type: string, expected ", $name))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Part {
    type Error = serde::de::value::Error;

    parse! {
        deserialize_bool => visit_bool: "a boolean",
        deserialize_i8 => visit_i8: "i8",
        deserialize_i16 => visit_i16: "i16",
        deserialize_i32 => visit_i32: "i32",
        deserialize_i64 => visit_i64: "i64",
        deserialize_u8 => visit_u8: "u8",
        deserialize_u16 => visit_u16: "u16",
        deserialize_u32 => visit_u32: "u32",
        deserialize_u64 => visit_u64: "u64",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        StringDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
