//! The long runs alone, for the release step of `.ci/run`: what they do not need of the tests is not
//! built a second time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(dead_code, unused_imports, reason = "the support of all the tests, of which these need a part")]

#[path = "../it/support/mod.rs"]
mod support;

#[path = "../it/cdnow.rs"]
mod cdnow;
#[path = "../it/model.rs"]
mod model;
