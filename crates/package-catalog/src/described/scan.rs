//! Reading source text of a language only as far as literals in it go.

/// A place in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where it is.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// What lies ahead.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next byte, which stays.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Goes on by so many bytes, at most to the end.
    pub(crate) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.bytes.len());
    }

    /// Goes past this text if it comes next.
    pub(crate) fn take(&mut self, text: &[u8]) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// The bytes that come next and are of this sort.
    pub(crate) fn take_while(&mut self, is_of_sort: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !is_of_sort(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The bytes before this text, which is passed; all that is left, where it does not come.
    pub(crate) fn take_until(&mut self, text: &[u8]) -> &'a [u8] {
        let rest = self.rest();
        match memchr::memmem::find(rest, text) {
            Some(length) => {
                self.at += length + text.len();
                &rest[..length]
            }
            None => {
                self.at = self.bytes.len();
                rest
            }
        }
    }
}

/// Letters, digits and underscores.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The bytes of an escape sequence behind its backslash, as Ruby, Lua and Erlang have them in common; `None` leaves the rest to the
/// caller. Moves past it.
pub(crate) fn escape(scanner: &mut Scanner<'_>, into: &mut Vec<u8>) {
    let Some(byte) = scanner.next() else { return };
    let plain = match byte {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'e' => 0x1b,
        b's' => b' ',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'u' => return code_points(scanner, into),
        b'x' => {
            let digits = digits(scanner, 16, 2);
            into.push(u8::try_from(digits).unwrap_or(b'?'));
            return;
        }
        other => other,
    };
    into.push(plain);
}

/// `00E9`, `{1F600}` or `{e9 e8}`
fn code_points(scanner: &mut Scanner<'_>, into: &mut Vec<u8>) {
    let mut push = |code: u32| {
        let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    };
    if !scanner.take(b"{") {
        return push(digits(scanner, 16, 4));
    }
    while scanner.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
        push(digits(scanner, 16, 6));
        scanner.take_while(|byte| byte == b' ');
    }
    scanner.take(b"}");
}

/// A number of at most so many digits.
pub(crate) fn digits(scanner: &mut Scanner<'_>, radix: u32, length_max: usize) -> u32 {
    let mut number = 0_u32;
    for _ in 0..length_max {
        let Some(digit) = scanner.peek().and_then(|byte| char::from(byte).to_digit(radix)) else { break };
        number = number.wrapping_mul(radix).wrapping_add(digit);
        scanner.skip(1);
    }
    number
}
