//! Passwords that are drawn at random, when somebody asks for one.

use rand::RngExt as _;

use super::SecretValue;

/// As long as technical users' passwords have always been: more than 70 bits.
const LENGTH: usize = 12;
const LENGTH_MAX: usize = 256;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";

/// The letters a password is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    LettersAndDigits,
    Letters,
    Digits,
    Printable,
}

/// What somebody wrote in place of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    alphabet: Alphabet,
    length: usize,
}

/// A password of 12 letters and digits.
pub fn generate_password() -> SecretValue {
    Wanted { alphabet: Alphabet::LettersAndDigits, length: LENGTH }.draw()
}

impl Wanted {
    /// Reads `randAlphaNum,N` and its like; `None`: the text is a password, commas or not.
    ///
    /// Errors: the text asks for a password of no or too many characters.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let Some((word, length)) = text.split_once(',') else { return Ok(None) };
        let alphabet = match word {
            "randAlphaNum" => Alphabet::LettersAndDigits,
            "randAlpha" => Alphabet::Letters,
            "randNumeric" => Alphabet::Digits,
            "randAscii" => Alphabet::Printable,
            _ => return Ok(None),
        };
        if length.is_empty() || !length.bytes().all(|letter| letter.is_ascii_digit()) {
            return Ok(None);
        }
        match length.parse() {
            Ok(length @ 1..=LENGTH_MAX) => Ok(Some(Self { alphabet, length })),
            _ => Err(format!("`{word},N` makes a password of 1 to {LENGTH_MAX} characters")),
        }
    }

    pub(super) fn draw(self) -> SecretValue {
        let letters: Vec<u8> = match self.alphabet {
            Alphabet::LettersAndDigits => [LETTERS, DIGITS].concat(),
            Alphabet::Letters => LETTERS.to_vec(),
            Alphabet::Digits => DIGITS.to_vec(),
            Alphabet::Printable => (b'!'..=b'~').collect(),
        };
        // A generator for cryptography, seeded by the system.
        let mut random = rand::rng();
        let draw = |_| char::from(letters[random.random_range(0..letters.len())]);
        SecretValue::new((0..self.length).map(draw).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_asks_for_a_password() {
        for (text, length, is_right) in [
            ("randAlphaNum,1", 1, char::is_ascii_alphanumeric as fn(&char) -> bool),
            ("randAlphaNum,12", 12, char::is_ascii_alphanumeric),
            ("randAlpha,40", 40, char::is_ascii_alphabetic),
            ("randNumeric,6", 6, char::is_ascii_digit),
            ("randAscii,256", 256, char::is_ascii_graphic),
        ] {
            let drawn = Wanted::read(text).unwrap().unwrap().draw();
            assert_eq!(drawn.reveal().len(), length, "{text}");
            assert!(drawn.reveal().chars().all(|letter| is_right(&letter)), "{text}: {}", drawn.reveal());
        }
        for text in [
            "hunter2",
            "a,b",
            "hunter,2",
            "randAlphaNum",
            "randAlphaNum,",
            "randAlphaNum,1,2",
            "randAlphaNum,-1",
        ] {
            assert_eq!(Wanted::read(text), Ok(None), "{text}");
        }
        for text in ["randAlphaNum,0", "randAlphaNum,257", "randAscii,99999999999999999999999"] {
            assert!(Wanted::read(text).is_err(), "{text}");
        }
        assert_ne!(generate_password(), generate_password());
        assert_eq!(generate_password().reveal().len(), LENGTH);
    }
}
