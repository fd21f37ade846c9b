//! One module per route.

pub(crate) mod calls;
pub(crate) mod desk;
pub(crate) mod devices;
pub(crate) mod help;
pub(crate) mod not_found;
pub(crate) mod sign_in;
