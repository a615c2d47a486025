//! The client as a user has it: the built program against a server that answers as the contract of the API says, against
//! one that means harm, and against a real `lazaret serve`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod commands;
mod hostile;
mod login;
mod login_browser;
mod real_cluster;
mod real_engine;
mod real_server;
mod shell;
mod support;
mod terminal;
mod transcripts;
