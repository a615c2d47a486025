//! Versions of Hex packages (Erlang and Elixir): semantic versions.

pub(crate) use crate::semver::{compare, is_well_formed};
