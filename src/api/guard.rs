//! Every handler asks here first: one question to the one policy, one answer.

pub(crate) use super::auth::permit;
