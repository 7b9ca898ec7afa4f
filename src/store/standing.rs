//! Standings on their own: looked up for the writer, and added for a new member.

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Uuid as UuidType};
use uuid::Uuid;

use super::batch::call;
use super::db::Error;
use super::rows::{StandingRow, StandingType};

/// The standings of members and no more, beside the programme version in force. One statement without a
/// function around it: most batches need nothing else.
pub struct Standings(pub Vec<Uuid>);

impl QueryFragment<Pg> for Standings {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select (select max(version) from programme_version), array_agg(s) from standing s where s.member_id = any(",
            Array<UuidType> => &self.0,
        )
    }
}

impl QueryId for Standings {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Standings {
    type SqlType = (Nullable<BigInt>, Nullable<Array<StandingType>>);
}

impl RunQueryDsl<PgConnection> for Standings {}

impl Standings {
    /// The programme version and the standings of those that exist, as of one moment.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn run(self, conn: &mut PgConnection) -> Result<(Option<i64>, Vec<StandingRow>), Error> {
        let (programme, standings): (_, Option<Vec<StandingRow>>) = self.get_result(conn)?;
        Ok((programme, standings.unwrap_or_default()))
    }
}

/// Inserts one standing as a row of its type.
struct NewStanding<'a>(&'a StandingRow);

impl QueryFragment<Pg> for NewStanding<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("insert into standing select (r).* from (select ");
        out.push_bind_param::<StandingType, _>(self.0)?;
        out.push_sql(" as r) one");
        Ok(())
    }
}

impl QueryId for NewStanding<'_> {
    type QueryId = NewStanding<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for NewStanding<'_> {}

/// Adds the empty standing of a new member, in the caller's transaction.
///
/// # Errors
/// As [`Error`].
pub fn insert(conn: &mut PgConnection, row: &StandingRow) -> Result<(), Error> {
    NewStanding(row).execute(conn)?;
    Ok(())
}
