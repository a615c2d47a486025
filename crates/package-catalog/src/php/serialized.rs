//! Values as PHP's `serialize` writes them, read without being built.
//!
//! `s:4:"name";` text of four bytes, `i:5;`, `b:1;`, `d:0.5;`, `N;`, `a:2:{key value key value}`, `O:3:"Foo":1:{…}`, and references.
//! Source: the manual of PHP and `ext/standard/var.c`.

use crate::described::scan::Scanner;

/// Lists within lists.
const DEPTH_MAX: usize = 64;

/// Reads one value after the other. An error is the place of what is broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    scanner: Scanner<'a>,
    depth: usize,
}

/// Takes the value of one key.
type TakeEntry<'f, 'a> = &'f mut dyn FnMut(&'a [u8], &mut Reader<'a>) -> Result<(), usize>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { scanner: Scanner::new(bytes), depth: 0 }
    }

    /// Hands over each entry of the list that comes next. Whoever takes it reads its value. Keys that are numbers are empty.
    pub(super) fn for_each(&mut self, take: TakeEntry<'_, 'a>) -> Result<(), usize> {
        self.expect(b"a:")?;
        self.entries(take)
    }

    /// The text that comes next; `None` for a value of another kind, which is passed.
    pub(super) fn text(&mut self) -> Result<Option<String>, usize> {
        if self.scanner.peek() != Some(b's') {
            return self.skip().map(|()| None);
        }
        let text = self.string()?;
        Ok(Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.trim().is_empty()))
    }

    /// The text that comes next, or the one under a key of the list that does, or of the first list in it.
    pub(super) fn text_or_in(&mut self, wanted: &[u8]) -> Result<Option<String>, usize> {
        if self.scanner.peek() != Some(b'a') {
            return self.text();
        }
        let mut found = None;
        self.for_each(&mut |key, reader| {
            let is_list = key.is_empty() && reader.scanner.peek() == Some(b'a');
            let text = match (key == wanted || is_list, is_list) {
                (true, true) => reader.text_or_in(wanted)?,
                (true, false) => reader.text()?,
                (false, _) => reader.skip().map(|()| None)?,
            };
            if found.is_none() {
                found = text;
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Goes past one value.
    pub(super) fn skip(&mut self) -> Result<(), usize> {
        let start = self.scanner.offset();
        match self.scanner.peek() {
            Some(b's') => self.string().map(drop),
            Some(b'a') => self.for_each(&mut |_, reader| reader.skip()),
            Some(b'O') => {
                self.expect(b"O:")?;
                self.quoted()?;
                self.expect(b":")?;
                self.entries(&mut |_, reader| reader.skip())
            }
            Some(b'N') => self.expect(b"N;"),
            Some(b'i' | b'b' | b'd' | b'r' | b'R') => {
                self.scanner.skip(1);
                self.expect(b":")?;
                self.scanner
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'));
                self.expect(b";")
            }
            _ => Err(start),
        }
    }

    /// `2:{key value key value}`
    fn entries(&mut self, take: TakeEntry<'_, 'a>) -> Result<(), usize> {
        let count = self.number()?;
        self.expect(b":{")?;
        if self.depth == DEPTH_MAX {
            return Err(self.scanner.offset());
        }
        self.depth += 1;
        for _ in 0..count {
            let key = match self.scanner.peek() {
                Some(b's') => self.string()?,
                _ => self.skip().map(|()| &b""[..])?,
            };
            take(key, self)?;
        }
        self.depth -= 1;
        self.expect(b"}")
    }

    fn string(&mut self) -> Result<&'a [u8], usize> {
        self.expect(b"s:")?;
        let text = self.quoted()?;
        self.expect(b";")?;
        Ok(text)
    }

    /// `4:"name"`
    fn quoted(&mut self) -> Result<&'a [u8], usize> {
        let length = self.number()?;
        self.expect(b":\"")?;
        let text = self.scanner.rest().get(..length).ok_or(self.scanner.offset())?;
        self.scanner.skip(length);
        self.expect(b"\"")?;
        Ok(text)
    }

    fn number(&mut self) -> Result<usize, usize> {
        let start = self.scanner.offset();
        let digits = self.scanner.take_while(|byte| byte.is_ascii_digit());
        str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(start)
    }

    fn expect(&mut self, text: &[u8]) -> Result<(), usize> {
        match self.scanner.take(text) {
            true => Ok(()),
            false => Err(self.scanner.offset()),
        }
    }
}
