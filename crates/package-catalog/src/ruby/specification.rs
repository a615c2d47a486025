//! What RubyGems writes as Ruby source: assignments of literals to attributes of one object.
//!
//! Only literals are read; nothing is evaluated. Source: `Gem::Specification#to_ruby`.

use crate::described::scan::{Scanner, digits, escape, is_word};

/// What the source assigns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RawSpecification {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) licenses: Vec<String>,
    pub(super) authors: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// The end of a line.
    Line,
    Word(&'a [u8]),
    /// A literal; `None` when it would have to be evaluated.
    Text(Option<Vec<u8>>),
    Sign(u8),
}

const STUB: &[u8] = b"# stub: ";
/// Texts of one assignment that are kept.
const TEXTS_MAX: usize = 50;

/// Reads one specification. Of several assignments to one attribute the last one counts, as in Ruby.
pub(super) fn read(content: &[u8]) -> RawSpecification {
    let mut raw = RawSpecification::default();
    let mut scanner = Scanner::new(content);
    // `s`, `.`, `name`, `=`: the last four tokens.
    let mut object: Option<&[u8]> = None;
    let mut attribute: Option<&[u8]> = None;
    let mut is_value_before = false;
    while let Some(token) = next_token(&mut scanner, is_value_before) {
        is_value_before = matches!(token, Token::Word(_) | Token::Text(_) | Token::Sign(b')' | b']' | b'}'));
        match token {
            Token::Word(word) if scanner.peek() == Some(b'.') => {
                scanner.skip(1);
                (object, attribute) = (Some(word), None);
            }
            Token::Word(word) if object.is_some() && attribute.is_none() => attribute = Some(word),
            Token::Sign(b'=') if !matches!(scanner.peek(), Some(b'=' | b'~' | b'>')) => {
                if let Some(attribute) = attribute {
                    assign(&mut raw, attribute, value(&mut scanner));
                }
                (object, attribute, is_value_before) = (None, None, false);
            }
            _ => (object, attribute) = (None, None),
        }
    }
    complete_from_stub(&mut raw, content);
    raw
}

/// RubyGems itself trusts the line `# stub: NAME VERSION PLATFORM PATHS` that it writes at the top.
fn complete_from_stub(raw: &mut RawSpecification, content: &[u8]) {
    let head = &content[..content.len().min(4096)];
    let Some(line) = head.split(|byte| *byte == b'\n').take(5).find_map(|line| line.strip_prefix(STUB))
    else {
        return;
    };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut word = || words.next().map(|word| String::from_utf8_lossy(word).into_owned());
    let (name, version, platform) = (word(), word(), word());
    if raw.name.is_none() || raw.version.is_none() {
        (raw.name, raw.version, raw.platform) = (name, version, platform);
    }
}

fn assign(raw: &mut RawSpecification, attribute: &[u8], texts: Vec<Option<Vec<u8>>>) {
    let known = texts.into_iter().flatten().map(|text| String::from_utf8_lossy(&text).into_owned());
    let mut known: Vec<String> = known.collect();
    let mut one = || if known.len() == 1 { known.pop() } else { None };
    match attribute {
        b"name" => raw.name = one(),
        b"version" => raw.version = one(),
        // `Gem::Platform.new(["x86_64", "linux", nil])`
        b"platform" if !known.is_empty() => raw.platform = Some(known.join("-")),
        b"licenses" | b"license" => raw.licenses = known,
        b"authors" | b"author" => raw.authors = known,
        _ => {}
    }
}

/// The literals up to the end of the statement.
fn value(scanner: &mut Scanner<'_>) -> Vec<Option<Vec<u8>>> {
    let (mut texts, mut depth, mut goes_on, mut is_value_before) = (Vec::new(), 0_usize, true, false);
    while let Some(token) = next_token(scanner, is_value_before) {
        is_value_before = matches!(token, Token::Word(_) | Token::Text(_) | Token::Sign(b')' | b']' | b'}'));
        let joins = matches!(token, Token::Sign(b',' | b'+' | b'='));
        match token {
            Token::Line if depth == 0 && !goes_on => break,
            Token::Line => continue,
            Token::Word(b"if" | b"unless") | Token::Sign(b';') if depth == 0 => break,
            Token::Text(text) if texts.len() < TEXTS_MAX => texts.push(text),
            Token::Sign(b'(' | b'[' | b'{') => depth += 1,
            Token::Sign(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        goes_on = joins;
    }
    texts
}

fn next_token<'a>(scanner: &mut Scanner<'a>, is_value_before: bool) -> Option<Token<'a>> {
    scanner.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\\'));
    let byte = scanner.peek()?;
    if is_word(byte) {
        return Some(Token::Word(scanner.take_while(is_word)));
    }
    scanner.skip(1);
    Some(match byte {
        b'\n' => Token::Line,
        b'#' => {
            scanner.take_while(|byte| byte != b'\n');
            Token::Line
        }
        b'"' => Token::Text(text(scanner, None, b'"', true)),
        b'\'' => Token::Text(text(scanner, None, b'\'', false)),
        b'%' if !is_value_before => match percent(scanner) {
            Some(text) => Token::Text(text),
            None => Token::Sign(b'%'),
        },
        sign => Token::Sign(sign),
    })
}

/// `%q<…>`, `%Q(…)`, `%(…)`, behind the percent sign.
fn percent(scanner: &mut Scanner<'_>) -> Option<Option<Vec<u8>>> {
    let before = *scanner;
    let mode = scanner.peek().filter(u8::is_ascii_alphabetic);
    scanner.skip(usize::from(mode.is_some()));
    let open = scanner.next().filter(|byte| byte.is_ascii_punctuation())?;
    let close = match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        same => same,
    };
    let nested = (open != close).then_some(open);
    match mode {
        Some(b'q' | b'w' | b'i') => Some(text(scanner, nested, close, false)),
        None | Some(b'Q' | b'W' | b'I') => Some(text(scanner, nested, close, true)),
        Some(_) => {
            *scanner = before;
            None
        }
    }
}

/// A literal up to its last sign; `None` where an expression stands in it.
fn text(scanner: &mut Scanner<'_>, open: Option<u8>, close: u8, is_rich: bool) -> Option<Vec<u8>> {
    let (mut text, mut depth, mut is_literal) = (Vec::new(), 0_usize, true);
    while let Some(byte) = scanner.next() {
        match byte {
            b'\\' if is_rich => match scanner.peek() {
                Some(b'0'..=b'7') => text.push(u8::try_from(digits(scanner, 8, 3)).unwrap_or(b'?')),
                _ => escape(scanner, &mut text),
            },
            b'\\' if scanner.peek().is_some_and(|next| next == b'\\' || next == close) => {
                text.extend(scanner.next());
            }
            byte if byte == close && depth == 0 => return is_literal.then_some(text),
            byte => {
                depth += usize::from(Some(byte) == open);
                depth -= usize::from(byte == close);
                is_literal &= !(is_rich && byte == b'#' && scanner.peek() == Some(b'{'));
                text.push(byte);
            }
        }
    }
    None
}
