//! Terms of Erlang as text, as far as atoms, texts and what encloses them go.

use crate::described::scan::{Scanner, digits, escape, is_word};

/// One piece of a term.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// A tuple, a list or a map begins.
    Open,
    /// One of them ends.
    Close,
    Comma,
    /// Also quoted ones, numbers and variables.
    Atom(String),
    /// A string, or a binary that is written as one.
    Text(String),
}

/// The pieces of a file.
#[derive(Debug)]
pub(super) struct Terms<'a>(Scanner<'a>);

impl<'a> Terms<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self(Scanner::new(content))
    }

    /// The next piece. What is none is passed.
    pub(super) fn next(&mut self) -> Option<Term> {
        loop {
            let scanner = &mut self.0;
            let byte = scanner.peek()?;
            if is_word(byte) {
                let word = scanner.take_while(|byte| is_word(byte) || byte == b'@');
                return Some(Term::Atom(String::from_utf8_lossy(word).into_owned()));
            }
            scanner.skip(1);
            match byte {
                b'{' | b'[' => return Some(Term::Open),
                b'}' | b']' => return Some(Term::Close),
                b',' => return Some(Term::Comma),
                b'"' => return Some(Term::Text(self.quoted(b'"'))),
                b'\'' => return Some(Term::Atom(self.quoted(b'\''))),
                b'%' => drop(scanner.take_while(|byte| byte != b'\n')),
                // `$"` is a number.
                b'$' => {
                    scanner.take(b"\\");
                    scanner.skip(1);
                }
                // `<<"name"/utf8>>`
                b'/' => drop(scanner.take_while(is_word)),
                _ => {}
            }
        }
    }

    fn quoted(&mut self, close: u8) -> String {
        let (scanner, mut text) = (&mut self.0, Vec::new());
        while let Some(byte) = scanner.next().filter(|byte| *byte != close) {
            match byte {
                b'\\' if matches!(scanner.peek(), Some(b'0'..=b'7')) => {
                    text.push(u8::try_from(digits(scanner, 8, 3)).unwrap_or(b'?'));
                }
                b'\\' if scanner.take(b"x{") => {
                    let letter =
                        char::from_u32(digits(scanner, 16, 6)).unwrap_or(char::REPLACEMENT_CHARACTER);
                    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    scanner.take(b"}");
                }
                b'\\' => escape(scanner, &mut text),
                byte => text.push(byte),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
