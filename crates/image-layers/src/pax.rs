//! The records of a pax extension header.

/// What an extension header says about the next member, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxRecords {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) user_id: Option<u64>,
    pub(crate) group_id: Option<u64>,
    /// The numbers of the map of a sparse file: starts and lengths in turn.
    sparse_map: Vec<u64>,
    /// The same where each number is a record of its own; these win.
    sparse_pairs: Vec<u64>,
    sparse_major: Vec<u8>,
    sparse_minor: Vec<u8>,
    /// The size of a sparse file with its holes, under its two names; the first wins.
    sparse_size: Option<u64>,
    sparse_real_size: Option<u64>,
    /// The name of a sparse file: the member's own name is made up by the archiver.
    pub(crate) sparse_name: Option<Vec<u8>>,
}

/// Where the map of a sparse file stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SparseForm {
    /// In the extension header: start and length of each piece.
    InHeader(Vec<(u64, u64)>),
    /// In front of the data.
    InBody,
}

impl PaxRecords {
    /// How the member is a sparse file; `None` when it is none. A form that runtimes do not know makes none of it either.
    pub(crate) fn take_sparse_form(&mut self) -> Option<SparseForm> {
        let map = match self.sparse_pairs.is_empty() {
            true => std::mem::take(&mut self.sparse_map),
            false => std::mem::take(&mut self.sparse_pairs),
        };
        let pairs = || map.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        match (self.sparse_major.as_slice(), self.sparse_minor.as_slice()) {
            (b"1", b"0") => Some(SparseForm::InBody),
            (b"0", b"0" | b"1") => Some(SparseForm::InHeader(pairs())),
            (b"", b"") if !map.is_empty() => Some(SparseForm::InHeader(pairs())),
            _ => None,
        }
    }

    /// The size of a sparse file with its holes.
    pub(crate) fn sparse_file_size(&self) -> Option<u64> {
        self.sparse_size.or(self.sparse_real_size)
    }
}

/// Parses the records of a pax extension header.
///
/// Shape:  `LENGTH KEY=VALUE\n` without a gap; LENGTH counts the whole record. A later record replaces an earlier one, an
///         empty value takes it back. Values may hold any byte, also line ends, so that only LENGTH may be trusted.
/// Limits: the caller bounds the length of the header.
/// Errors: a fixed text about the first record that is not of this shape.
/// Source: POSIX.1-2017 pax, "pax Extended Header"; keys of sparse files from the GNU tar manual, "Storing Sparse Files".
pub(crate) fn parse(mut bytes: &[u8]) -> Result<PaxRecords, &'static str> {
    let mut records = PaxRecords::default();
    while !bytes.is_empty() {
        let (key, value, rest) = split_record(bytes).ok_or("extension record has a wrong length")?;
        let text = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" | b"linkpath" | b"GNU.sparse.name" if value.contains(&0) => {
                return Err("extension record has a path with a zero byte");
            }
            b"path" => records.path = text(),
            b"linkpath" => records.link = text(),
            b"GNU.sparse.name" => records.sparse_name = text(),
            b"size" if value.is_empty() => records.size = None,
            b"size" => {
                let size = parse_decimal(value).ok_or("extension record has a size that is not a number")?;
                records.size = Some(size);
            }
            // What is no number is not said: an owner decides nothing about how the archive is read.
            b"uid" => records.user_id = parse_decimal(value),
            b"gid" => records.group_id = parse_decimal(value),
            b"GNU.sparse.size" if value.is_empty() => records.sparse_size = None,
            b"GNU.sparse.size" => records.sparse_size = Some(sparse_number(value)?),
            b"GNU.sparse.realsize" if value.is_empty() => records.sparse_real_size = None,
            b"GNU.sparse.realsize" => records.sparse_real_size = Some(sparse_number(value)?),
            b"GNU.sparse.major" => records.sparse_major = value.to_vec(),
            b"GNU.sparse.minor" => records.sparse_minor = value.to_vec(),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                records.sparse_pairs.push(sparse_number(value)?);
            }
            b"GNU.sparse.map" if value.is_empty() => records.sparse_map.clear(),
            b"GNU.sparse.map" => {
                let numbers = value.split(|byte| *byte == b',').map(sparse_number);
                records.sparse_map = numbers.collect::<Result<_, _>>()?;
            }
            _ => {}
        }
        bytes = rest;
    }
    Ok(records)
}

fn sparse_number(digits: &[u8]) -> Result<u64, &'static str> {
    parse_decimal(digits).ok_or("extension record about a sparse file is not of numbers")
}

/// Key, value and what follows.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().take(21).position(|byte| *byte == b' ')?;
    let length = usize::try_from(parse_decimal(&bytes[..blank])?).ok()?;
    if length > bytes.len() || length < blank + 3 || bytes[length - 1] != b'\n' {
        return None;
    }
    let record = &bytes[blank + 1..length - 1];
    let equals = record.iter().position(|byte| *byte == b'=')?;
    (equals > 0).then(|| (&record[..equals], &record[equals + 1..], &bytes[length..]))
}

/// A number of digits alone.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<PaxRecords, ()>) {
        assert_eq!(parse(bytes).map_err(|_| ()), expected, "{:?}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn records_are_read_by_their_length() {
        let named = |name: &[u8]| PaxRecords { path: Some(name.to_vec()), ..PaxRecords::default() };
        check(b"", Ok(PaxRecords::default()));
        check(b"10 path=a\n", Ok(named(b"a")));
        check(b"10 path=a\n10 path=b\n", Ok(named(b"b")));
        check(b"10 path=a\n8 path=\n", Ok(PaxRecords::default()));
        check(b"12 path=a\nb\n", Ok(named(b"a\nb")));
        // A value with an empty line in it must not hide the path behind it.
        check(b"10 x.y=\n\n\n10 path=a\n", Ok(named(b"a")));
        check(b"11 size=12\n", Ok(PaxRecords { size: Some(12), ..PaxRecords::default() }));
        check(
            b"12 uid=1000\n8 gid=5\n",
            Ok(PaxRecords { user_id: Some(1000), group_id: Some(5), ..PaxRecords::default() }),
        );
        check(
            b"26 GNU.sparse.realsize=99\n",
            Ok(PaxRecords { sparse_real_size: Some(99), ..PaxRecords::default() }),
        );
        check(
            b"22 GNU.sparse.major=1\n21 GNU.sparse.name=f\n",
            Ok(PaxRecords {
                sparse_major: b"1".to_vec(),
                sparse_name: Some(b"f".to_vec()),
                ..PaxRecords::default()
            }),
        );
        for bad in [
            &b"11 path=a\n"[..],
            b"8 path=a\n",
            b"10 path=a",
            b"path=a\n",
            b"0 path=a\n",
            b"4 =\n",
            b"18446744073709551616 path=a\n",
            b"11 size=-1\n",
            b"11 path=\0b\n",
            b"22 GNU.sparse.size=+7\n",
        ] {
            check(bad, Err(()));
        }
    }

    /// In whatever order they come.
    #[test]
    fn of_two_ways_to_say_the_same_about_a_sparse_file_one_wins() {
        let record = |text: &str| format!("{} {text}\n", text.len() + 4);
        let mut records = [
            "GNU.sparse.offset=3",
            "GNU.sparse.map=1,2",
            "GNU.sparse.numbytes=4",
            "GNU.sparse.map=5,6",
            "GNU.sparse.size=7",
            "GNU.sparse.realsize=8",
        ]
        .map(record);
        for _ in 0..2 {
            let mut read = parse(records.concat().as_bytes()).unwrap();
            // Offset and length of a pair have an order.
            if records[0].contains("offset") {
                assert_eq!(read.take_sparse_form(), Some(SparseForm::InHeader(vec![(3, 4)])));
            }
            assert_eq!(read.sparse_file_size(), Some(7));
            records.reverse();
        }
        let empty = ["GNU.sparse.size=7", "GNU.sparse.realsize=8", "GNU.sparse.map=1,2"];
        let taken_back = ["19 GNU.sparse.map=\n", "20 GNU.sparse.size=\n"].concat();
        let mut read = parse([&empty.map(record).concat(), &taken_back[..]].concat().as_bytes()).unwrap();
        assert_eq!((read.take_sparse_form(), read.sparse_file_size()), (None, Some(8)));
    }
}
