//! A Dockerfile's text, cut into instructions.
//!
//! A backslash at the end of a line (or what `# escape=` names) joins it with the next one, as the builder does; Anchore never
//! joined lines, so the messages of instructions over several lines, and with them their identifiers, differ from its own. A tab ends the
//! directive like a blank, or `EXPOSE<tab>22` would get past every rule. The body of a here-document is read as
//! instructions, as Anchore does.

/// One instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Text before the first blank or tab, upper case.
    pub(super) directive: String,
    /// The whole line, trimmed.
    pub(super) line: String,
}

impl Instruction {
    /// What stands behind the directive.
    pub(super) fn operand(&self) -> &str {
        self.line.split_once(char::is_whitespace).map_or("", |(_, operand)| operand.trim())
    }
}

/// The instructions, without empty lines and comments.
pub(super) fn instructions(text: &str) -> Vec<Instruction> {
    let mut instructions = Vec::new();
    let mut open = String::new();
    let escape = find_escape(text);
    for line in text.lines() {
        // Comments and empty lines between the parts of a joined line belong to nothing.
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match line.trim_end().strip_suffix(escape) {
            Some(part) => open.push_str(part),
            None => {
                open.push_str(line);
                push(&open, &mut instructions);
                open.clear();
            }
        }
    }
    push(&open, &mut instructions);
    instructions
}

/// The character that joins lines; the remarks at the top may name another one than the backslash.
fn find_escape(text: &str) -> char {
    for line in text.lines() {
        let directive = line.trim().strip_prefix('#').and_then(|remark| remark.split_once('='));
        match directive.map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, "`")) if name.eq_ignore_ascii_case("escape") => return '`',
            Some((name, _)) if ["syntax", "check"].iter().any(|known| name.eq_ignore_ascii_case(known)) => {}
            _ => break,
        }
    }
    '\\'
}

fn push(line: &str, instructions: &mut Vec<Instruction>) {
    let line = line.trim();
    if line.is_empty() {
        return;
    }
    let directive = line.split(char::is_whitespace).next().unwrap_or(line).to_uppercase();
    instructions.push(Instruction { directive, line: line.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = instructions(text);
        let found: Vec<(&str, &str)> =
            found.iter().map(|instruction| (instruction.directive.as_str(), instruction.operand())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_become_instructions() {
        check("", &[]);
        check("\n  \n# nothing\n", &[]);
        check("from scratch\n  RUN  a   b  \r\nCMD", &[("FROM", "scratch"), ("RUN", "a   b"), ("CMD", "")]);
        check("RUN a \\\n  && b\nUSER x", &[("RUN", "a   && b"), ("USER", "x")]);
        check("RUN a \\\n# remark\n\n b", &[("RUN", "a  b")]);
        check("RUN ec\\\nho hi", &[("RUN", "echo hi")]);
        check("RUN a \\", &[("RUN", "a")]);
        check("\\", &[]);
        check("RUN\ta", &[("RUN", "a")]);
        let windows = [("RUN", "dir C:\\"), ("USER", "a"), ("RUN", "b  c")];
        for top in ["# escape=`\n", "#Escape = `\r\n", "# syntax=docker/dockerfile:1\n# escape=`\n"] {
            check(&format!("{top}RUN dir C:\\\nUSER a\nRUN b `\n c"), &windows);
        }
        for top in
            ["# escape=\\\n", "\n# escape=`\n", "# no = directive\n# escape=`\n", "FROM a\n# escape=`\n"]
        {
            assert_eq!(
                instructions(&format!("{top}RUN a \\\nUSER b")).last().unwrap().directive,
                "RUN",
                "{top}"
            );
        }
    }
}
