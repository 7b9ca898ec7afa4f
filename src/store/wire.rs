//! Rows on their way to PostgreSQL: whole arrays of composite values, in its binary format.
//!
//! Diesel writes every field into a buffer of its own, copies that into its row's and this into the
//! array's. On the write path that is most of what storing costs the server, so that rows are written
//! here in one go, each length put in once it is known.

use std::io::Write as _;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::{Pg, PgTypeMetadata};
use diesel::serialize::{self, IsNull, Output};
use diesel::sql_types::{HasSqlType, TypeMetadata};
use uuid::Uuid;

/// Where PostgreSQL counts from: 1 January 2000, in microseconds and in days of Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

/// The length that says NULL.
const NULL: i32 = -1;

/// What cannot be written: a type the database does not know, or more bytes than it takes.
pub(super) type Unwritable = Box<dyn std::error::Error + Send + Sync>;

/// Where the numbers of types are asked for.
pub(super) type Lookup = <Pg as TypeMetadata>::MetadataLookup;

/// The SQL type of an array of rows of type `ST`, where Diesel's own is `Array<ST>`.
#[derive(Debug)]
pub struct Rows<ST>(PhantomData<ST>);

impl<ST> HasSqlType<Rows<ST>> for Pg
where
    Self: HasSqlType<ST>,
{
    fn metadata(lookup: &mut Self::MetadataLookup) -> PgTypeMetadata {
        let row = <Self as HasSqlType<ST>>::metadata(lookup);
        let array = row.array_oid().ok();
        array.map_or(row, |array| PgTypeMetadata::new(array, 0))
    }
}

/// The number by which the database knows a type.
pub(super) fn oid<ST>(lookup: &mut Lookup) -> Result<u32, Unwritable>
where
    Pg: HasSqlType<ST>,
{
    Ok(<Pg as HasSqlType<ST>>::metadata(lookup).oid()?)
}

/// A value of a column.
pub(super) trait Value {
    /// Appends the length of the value in bytes and the bytes, as the type's `recv` function reads
    /// them.
    ///
    /// # Errors
    /// [`Unwritable`].
    fn write(&self, out: &mut Vec<u8>, lookup: &mut Lookup) -> Result<(), Unwritable>;
}

fn number(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn count(of: usize) -> Result<i32, Unwritable> {
    Ok(i32::try_from(of)?)
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Unwritable> {
    number(out, count(bytes.len())?);
    out.extend_from_slice(bytes);
    Ok(())
}

/// Writes a value whose length is known when it is written.
fn measured(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>) -> Result<(), Unwritable> {
    let from = out.len();
    number(out, 0);
    write(out)?;
    let length = count(out.len() - from - size_of::<i32>())?;
    out[from..from + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Writes a row: `fields` appends type and value of each of its columns.
pub(super) fn row(
    out: &mut Vec<u8>,
    columns: usize,
    fields: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    measured(out, |out| {
        number(out, count(columns)?);
        fields(out)
    })
}

/// Appends the type of a column, which comes before its value.
pub(super) fn column_type(out: &mut Vec<u8>, oid: u32) {
    out.extend_from_slice(&oid.to_be_bytes());
}

/// An array of one dimension, counted from 1, without its own length.
pub(super) fn array<V: Value>(
    out: &mut Vec<u8>,
    values: &[V],
    element: u32,
    lookup: &mut Lookup,
) -> Result<(), Unwritable> {
    let (dimensions, has_nulls, lower_bound) = (1, 0, 1);
    number(out, dimensions);
    number(out, has_nulls);
    column_type(out, element);
    number(out, count(values.len())?);
    number(out, lower_bound);
    values.iter().try_for_each(|value| value.write(out, lookup))
}

/// Binds an array of rows of type `ST`.
pub(super) fn write_array<'b, ST, V: Value>(values: &[V], out: &mut Output<'b, '_, Pg>) -> serialize::Result
where
    Pg: HasSqlType<ST>,
{
    let mut written = Vec::new();
    let element = oid::<ST>(out.metadata_lookup())?;
    array(&mut written, values, element, out.metadata_lookup())?;
    out.write_all(&written)?;
    Ok(IsNull::No)
}

/// Binds one row.
pub(super) fn write_one<'b>(value: &impl Value, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
    let mut written = Vec::new();
    value.write(&mut written, out.metadata_lookup())?;
    // What is bound brings its own length.
    out.write_all(&written[size_of::<i32>()..])?;
    Ok(IsNull::No)
}

macro_rules! values {
    ($($(#[$doc:meta])* $rust:ty: |$value:ident| $bytes:expr;)*) => {$(
        $(#[$doc])*
        impl Value for $rust {
            fn write(&self, out: &mut Vec<u8>, _: &mut Lookup) -> Result<(), Unwritable> {
                let $value = self;
                bytes(out, $bytes)
            }
        }
    )*};
}

values! {
    bool: |value| &[u8::from(*value)];
    i16: |value| &value.to_be_bytes();
    i32: |value| &value.to_be_bytes();
    i64: |value| &value.to_be_bytes();
    String: |value| value.as_bytes();
    Vec<u8>: |value| value;
    Uuid: |value| value.as_bytes();
    DateTime<Utc>: |value| &(value.timestamp_micros() - EPOCH_MICROS).to_be_bytes();
    NaiveDate: |value| &(value.to_epoch_days() - EPOCH_DAYS).to_be_bytes();
}

/// `jsonb`: the version of its format, then the text.
impl Value for serde_json::Value {
    fn write(&self, out: &mut Vec<u8>, _: &mut Lookup) -> Result<(), Unwritable> {
        measured(out, |out| {
            out.push(1);
            Ok(serde_json::to_writer(out, self)?)
        })
    }
}

impl Value for Vec<i64> {
    fn write(&self, out: &mut Vec<u8>, lookup: &mut Lookup) -> Result<(), Unwritable> {
        let element = oid::<diesel::sql_types::BigInt>(lookup)?;
        measured(out, |out| array(out, self, element, lookup))
    }
}

impl<V: Value> Value for Option<V> {
    fn write(&self, out: &mut Vec<u8>, lookup: &mut Lookup) -> Result<(), Unwritable> {
        let Some(value) = self else {
            number(out, NULL);
            return Ok(());
        };
        value.write(out, lookup)
    }
}
