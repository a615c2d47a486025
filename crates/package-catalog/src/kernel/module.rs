//! What a module says about itself: texts of the form `key=value`, each with a zero behind it.

/// Of which a key is looked for.
const VALUE_BYTES_MAX: usize = 128;

/// Finds the values while the content streams by.
#[derive(Debug, Default)]
pub(super) struct ModuleTexts {
    /// What may be the beginning of a text.
    pending: Vec<u8>,
    version: Option<String>,
    name: Option<String>,
    is_module: bool,
}

const KEYS: [&[u8]; 3] = [b"\0version=", b"\0name=", b"\0vermagic="];
const KEY_BYTES_MAX: usize = 10;

impl ModuleTexts {
    pub(super) fn clear(&mut self) {
        // The section may begin with a key.
        *self = Self { pending: vec![0], ..Self::default() };
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        if self.is_whole() {
            return;
        }
        self.pending.extend_from_slice(bytes);
        let end = self.pending.len().saturating_sub(VALUE_BYTES_MAX + KEY_BYTES_MAX);
        self.look(end);
        self.pending.drain(..end);
    }

    /// Name and version of the module, if it has both.
    pub(super) fn end(&mut self) -> Option<(String, String)> {
        self.look(self.pending.len());
        let (name, version) = (self.name.take()?, self.version.take()?);
        self.is_module.then_some((name, version))
    }

    fn is_whole(&self) -> bool {
        self.is_module && self.name.is_some() && self.version.is_some()
    }

    /// Looks at the keys that begin before `end`.
    fn look(&mut self, end: usize) {
        for (number, key) in KEYS.into_iter().enumerate() {
            let reach = self.pending.len().min(end + key.len() - 1);
            let Some(at) = memchr::memmem::find(&self.pending[..reach], key) else { continue };
            let text = &self.pending[at + key.len()..];
            let length = text.iter().take(VALUE_BYTES_MAX).position(|byte| *byte == 0).unwrap_or(0);
            let value = String::from_utf8_lossy(&text[..length]).into_owned();
            let is_value = !value.is_empty() && !value.contains('\n');
            match number {
                0 if is_value => _ = self.version.get_or_insert(value),
                1 if is_value => _ = self.name.get_or_insert(value),
                _ => self.is_module |= is_value,
            }
        }
    }
}
