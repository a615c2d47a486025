//! In which folder most classes of an archive lie: packages of Java are named after who makes them.

use std::collections::BTreeMap;

/// Folders that are counted; in what is found later no more new ones are.
const FOLDERS_MAX: usize = 400;
/// Deeper ones are counted as the one above.
const DEPTH_MAX: usize = 5;
const NAME_BYTES_MAX: usize = 200;
/// What is not a package of classes.
const OTHERS: [&str; 3] = ["META-INF", "BOOT-INF", "WEB-INF"];

/// Counts classes by folder.
#[derive(Debug, Default)]
pub(super) struct Folders(BTreeMap<String, u32>);

impl Folders {
    /// Counts an entry if it is a class.
    pub(super) fn count(&mut self, name: &str) {
        let Some((folder, _)) = name.strip_suffix(".class").and_then(|name| name.rsplit_once('/')) else {
            return;
        };
        if folder.len() > NAME_BYTES_MAX || OTHERS.iter().any(|other| folder.starts_with(other)) {
            return;
        }
        let end = folder.match_indices('/').nth(DEPTH_MAX - 1).map_or(folder.len(), |(at, _)| at);
        if let Some(count) = self.0.get_mut(&folder[..end]) {
            *count += 1;
        } else if self.0.len() < FOLDERS_MAX {
            self.0.insert(folder[..end].to_owned(), 1);
        }
    }

    /// The deepest folder that holds nearly all classes, as the name of a package.
    pub(super) fn common(&self) -> Option<String> {
        let all: u64 = self.0.values().map(|count| u64::from(*count)).sum();
        let mut common = String::new();
        loop {
            let mut below: BTreeMap<&str, u64> = BTreeMap::new();
            for (folder, count) in &self.0 {
                let rest = match common.is_empty() {
                    true => Some(folder.as_str()),
                    false => folder.strip_prefix(&common).and_then(|rest| rest.strip_prefix('/')),
                };
                if let Some(name) = rest.and_then(|rest| rest.split('/').next()) {
                    *below.entry(name).or_default() += u64::from(*count);
                }
            }
            match below.into_iter().max_by_key(|(_, count)| *count) {
                Some((name, count)) if count * 10 >= all * 8 => {
                    if !common.is_empty() {
                        common.push('/');
                    }
                    common.push_str(name);
                }
                _ => break,
            }
        }
        (!common.is_empty()).then(|| common.replace('/', "."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(names: &[&str]) -> Option<String> {
        let mut folders = Folders::default();
        names.iter().for_each(|name| folders.count(name));
        folders.common()
    }

    #[test]
    fn the_folder_of_most_classes_is_found() {
        let many = ["org/example/a/A.class"; 9];
        assert_eq!(common(&many).as_deref(), Some("org.example.a"));
        let with = |more: &[&'static str]| common(&[&many[..], more].concat());
        assert_eq!(with(&["org/example/B.class", "shaded/C.class"]).as_deref(), Some("org.example.a"));
        assert_eq!(with(&["org/example/b/B.class"; 9]).as_deref(), Some("org.example"));
        assert_eq!(with(&["com/example/B.class"; 9]), None);
        assert_eq!(with(&["META-INF/versions/9/com/B.class"; 90]).as_deref(), Some("org.example.a"));
        assert_eq!(common(&["A.class", "a/b.txt"]), None);
        assert_eq!(common(&["a/b/c/d/e/f/g/A.class"]).as_deref(), Some("a.b.c.d.e"));
    }

    #[test]
    fn folders_are_bounded() {
        let mut folders = Folders::default();
        for at in 0..10 * FOLDERS_MAX {
            folders.count(&format!("a/b{at}/A.class"));
        }
        assert_eq!((folders.0.len(), folders.common().as_deref()), (FOLDERS_MAX, Some("a")));
    }
}
