//! Lua: the specification that LuaRocks keeps of every installed rock.
//!
//! It is Lua source that assigns literals; nothing is evaluated. Source: the rockspec format of LuaRocks.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::scan::{Scanner, digits, escape, is_word};
use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::build_language_purl;

/// `lib/luarocks/rocks-5.1/luasocket/3.1.0-1/luasocket-3.1.0-1.rockspec`
pub(crate) static ROCKSPEC: DescriptionKind = DescriptionKind {
    tag: 35,
    kind: PackageKind::LuaRocks,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

const TREES: [&str; 2] = ["rocks", "rocks-"];

/// Specifications elsewhere belong to sources.
fn is_description(path: &str) -> bool {
    let Some(folder) = path.strip_suffix(".rockspec").and_then(|_| path.rsplit('/').nth(3)) else {
        return false;
    };
    folder == TREES[0] || folder.starts_with(TREES[1])
}

enum Token<'a> {
    Word(&'a [u8]),
    Text(String),
    Sign(u8),
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut scanner = Scanner::new(content);
    let mut description = Description::default();
    let (mut name, mut depth) = (None, 0_usize);
    let mut table: Option<&[u8]> = None;
    let (mut word, mut is_assigned): (Option<&[u8]>, bool) = (None, false);
    while let Some(token) = next_token(&mut scanner) {
        match token {
            Token::Word(next) => (word, is_assigned) = (Some(next), false),
            Token::Sign(b'=') => is_assigned = true,
            Token::Text(text) => {
                match (depth, table, word.filter(|_| is_assigned)) {
                    (0, _, Some(b"package")) => name = Some(text),
                    (0, _, Some(b"version")) => description.version = Some(text),
                    (1, Some(b"description"), Some(b"license")) => description.licenses = vec![text],
                    (1, Some(b"description"), Some(b"maintainer")) => description.maintainer = Some(text),
                    _ => {}
                }
                (word, is_assigned) = (None, false);
            }
            Token::Sign(b'{') => {
                if depth == 0 {
                    table = word.filter(|_| is_assigned);
                }
                depth += 1;
                (word, is_assigned) = (None, false);
            }
            Token::Sign(b'}') => {
                depth = depth.saturating_sub(1);
                (word, is_assigned) = (None, false);
            }
            Token::Sign(_) => (word, is_assigned) = (None, false),
        }
    }
    description.name = name.ok_or("specification has no name that is written out")?;
    found.add(description);
    Ok(())
}

fn next_token<'a>(scanner: &mut Scanner<'a>) -> Option<Token<'a>> {
    loop {
        scanner.take_while(|byte| byte.is_ascii_whitespace());
        if !scanner.take(b"--") {
            break;
        }
        if long_text(scanner).is_none() {
            scanner.take_while(|byte| byte != b'\n');
        }
    }
    let byte = scanner.peek()?;
    if is_word(byte) {
        return Some(Token::Word(scanner.take_while(is_word)));
    }
    if byte == b'['
        && let Some(text) = long_text(scanner)
    {
        return Some(Token::Text(String::from_utf8_lossy(text).into_owned()));
    }
    scanner.skip(1);
    Some(match byte {
        b'"' | b'\'' => Token::Text(short_text(scanner, byte)),
        sign => Token::Sign(sign),
    })
}

/// `[[…]]`, `[==[…]==]`: where one begins, all of it.
fn long_text<'a>(scanner: &mut Scanner<'a>) -> Option<&'a [u8]> {
    let before = *scanner;
    let is_open = scanner.take(b"[");
    let level = scanner.take_while(|byte| byte == b'=').len();
    if !is_open || !scanner.take(b"[") {
        *scanner = before;
        return None;
    }
    Some(scanner.take_until(format!("]{}]", "=".repeat(level)).as_bytes()))
}

fn short_text(scanner: &mut Scanner<'_>, close: u8) -> String {
    let mut text = Vec::new();
    while let Some(byte) = scanner.next().filter(|byte| *byte != close) {
        match byte {
            b'\\' if scanner.peek().is_some_and(|next| next.is_ascii_digit()) => {
                text.push(u8::try_from(digits(scanner, 10, 3)).unwrap_or(b'?'));
            }
            b'\\' => escape(scanner, &mut text),
            byte => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Names of rocks are told apart without regard to case; its URL has the small letters.
fn complete(package: &mut Package, _: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    let version = package.version.as_deref().map(str::to_lowercase);
    package.purl = build_language_purl(package.kind, &package.name.to_lowercase(), version.as_deref(), &[]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &ROCKSPEC)
}
