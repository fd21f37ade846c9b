//! The Durable Objects: thin shells over the steps in `cordboard_shared::presence`.

#[expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without any")]
pub(crate) mod presence;
mod rows;
