//! Gate `passwd_file`: asks about the accounts of `/etc/passwd`.
//!
//! Lines without a colon are no accounts, and a line with too few fields has no number, no shell; of two lines about one
//! user the last counts. A number is compared as a number: `00` is 0.

use std::collections::{BTreeMap, BTreeSet};

use super::file_contents::recorded_contents;
use super::{Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;

const NAME: &str = "passwd_file";
/// Positions in a line.
const USER_ID: usize = 2;
const GROUP_ID: usize = 3;
const SHELL: usize = 6;

const fn required(
    name: &'static str,
    description: &'static str,
    example: &'static str,
    validator: Validator,
) -> Parameter {
    Parameter { name, description, example, is_required: true, validator }
}

pub(super) const GATE: Gate = Gate {
    name: NAME,
    description: "Asks about the accounts of /etc/passwd.",
    triggers: &[
        Trigger {
            name: "content_not_available",
            description: "Fires when the image has no /etc/passwd, or an empty one.",
            parameters: &[],
            is_unconditional: false,
            build: |_, _| Ok(Box::new(NotAvailable)),
        },
        Trigger {
            name: "blacklist_usernames",
            description: "Fires for each account with one of the listed names.",
            parameters: &[required(
                "user_names",
                "Names with commas between them.",
                "daemon,ftp",
                Validator::TextList,
            )],
            is_unconditional: false,
            build: |values, _| build(Question::User(texts(&values, "user_names"))),
        },
        Trigger {
            name: "blacklist_userids",
            description: "Fires for each account with one of the listed user ids.",
            parameters: &[required(
                "user_ids",
                "Numbers with commas between them.",
                "0,1",
                Validator::NumberList,
            )],
            is_unconditional: false,
            build: |values, _| build(Question::UserId(numbers(&values, "user_ids"))),
        },
        Trigger {
            name: "blacklist_groupids",
            description: "Fires for each account with one of the listed group ids.",
            parameters: &[required(
                "group_ids",
                "Numbers with commas between them.",
                "999,20",
                Validator::NumberList,
            )],
            is_unconditional: false,
            build: |values, _| build(Question::GroupId(numbers(&values, "group_ids"))),
        },
        Trigger {
            name: "blacklist_shells",
            description: "Fires for each account with one of the listed shells.",
            parameters: &[required(
                "shells",
                "Paths with commas between them.",
                "/bin/bash,/bin/zsh",
                Validator::TextList,
            )],
            is_unconditional: false,
            build: |values, _| build(Question::Shell(texts(&values, "shells"))),
        },
        Trigger {
            name: "blacklist_full_entry",
            description: "Fires when the file has exactly this line.",
            parameters: &[required(
                "entry",
                "The line.",
                "ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin",
                Validator::Text,
            )],
            is_unconditional: false,
            build: build_full_entry,
        },
    ],
};

fn texts(values: &ParameterValues, name: &str) -> BTreeSet<String> {
    values.text_list(name).unwrap_or_default().iter().cloned().collect()
}

fn numbers(values: &ParameterValues, name: &str) -> BTreeSet<u64> {
    values.number_list(name).unwrap_or_default().iter().copied().collect()
}

fn build(question: Question) -> Built {
    Ok(Box::new(PasswordFileCheck { question }))
}

fn build_full_entry(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    build(Question::Entry(values.text("entry").unwrap_or_default().trim().to_owned()))
}

#[derive(Debug)]
struct NotAvailable;

impl Check for NotAvailable {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let stored = input.contents.and_then(|contents| contents.password_file.as_deref());
        if stored.is_some_and(|bytes| !bytes.is_empty()) {
            return Ok(());
        }
        output.push_message(
            "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.".to_owned(),
        )
    }
}

/// Which accounts are refused.
#[derive(Debug)]
enum Question {
    User(BTreeSet<String>),
    UserId(BTreeSet<u64>),
    GroupId(BTreeSet<u64>),
    Shell(BTreeSet<String>),
    Entry(String),
}

#[derive(Debug)]
struct PasswordFileCheck {
    question: Question,
}

/// The lines that are accounts, each user once, in the order in which users first appear.
fn entries(text: &str) -> Vec<&str> {
    let mut entries = Vec::new();
    let mut positions = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let Some((user, _)) = line.split_once(':') else {
            continue;
        };
        let position = *positions.entry(user).or_insert(entries.len());
        match entries.get_mut(position) {
            Some(entry) => *entry = line,
            None => entries.push(line),
        }
    }
    entries
}

impl Check for PasswordFileCheck {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let Some(bytes) = &recorded_contents(input, NAME)?.password_file else {
            return Ok(());
        };
        output.budget.spend(1 + bytes.len() as u64 / 4)?;
        for line in entries(&String::from_utf8_lossy(bytes)) {
            if let Some(what) = self.question.find(line) {
                output.push_message(format!(
                    "Blacklisted {what} found in image's /etc/passwd: pentry={line}"
                ))?;
            }
        }
        Ok(())
    }
}

impl Question {
    /// What of a line is refused, in the words of the message.
    fn find(&self, line: &str) -> Option<String> {
        let field = |position| line.split(':').nth(position);
        let number = |position| field(position).and_then(|text| text.trim().parse::<u64>().ok());
        match self {
            Self::User(users) => {
                field(0).filter(|user| users.contains(*user)).map(|user| format!("user '{user}'"))
            }
            Self::UserId(ids) => {
                number(USER_ID).filter(|id| ids.contains(id)).map(|id| format!("uid '{id}'"))
            }
            Self::GroupId(ids) => {
                number(GROUP_ID).filter(|id| ids.contains(id)).map(|id| format!("gid '{id}'"))
            }
            Self::Shell(shells) => {
                field(SHELL).filter(|shell| shells.contains(*shell)).map(|shell| format!("shell '{shell}'"))
            }
            Self::Entry(entry) => (entry == line).then(|| format!("pentry '{line}'")),
        }
    }
}
