//! What a regular expression of a stranger may cost: how it is compiled, whether it goes back, and how many parts it has.
//!
//! What the plain engine accepts takes linear time. All else is limited in its parts, because the engine that knows
//! look-around and back references counts only the steps it goes back, not those forward.

use fancy_regex::{Expr, Regex, RegexBuilder};

/// Longest expression.
pub const PATTERN_BYTES_MAX: usize = 4096;
/// Parts of an expression that goes back, each counted as often as it is repeated.
pub const PARTS_MAX: u64 = 1_000;
/// Memory of one compiled expression, about.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Instructions of one compiled expression.
const INSTRUCTIONS_MAX: usize = 20_000;

/// Compiles an expression that may go back so many steps in one match.
///
/// Errors: a sentence about what is wrong with it.
pub fn compile(pattern: &str, backtrack_max: usize) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .backtrack_limit(backtrack_max)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
        .delegate_dfa_skip_cache_capacity_check(false)
        .max_prog_size(INSTRUCTIONS_MAX)
        .build()
        .map_err(|error| error.to_string())
}

/// The parts of an expression.
///
/// Errors: a sentence about what is wrong with it.
pub fn parse(pattern: &str) -> Result<Expr, String> {
    Expr::parse_tree(pattern).map(|tree| tree.expr).map_err(|error| error.to_string())
}

/// Whether an expression takes linear time. The engine does not say whether it goes back, so the plain one is asked whether
/// it would do; it reads possessive repetition (`a*+`) in another way, which the tree tells.
pub fn is_linear(pattern: &str, tree: &Expr) -> bool {
    let is_special = |expression: &Expr| {
        matches!(
            expression,
            Expr::AtomicGroup(_) | Expr::LookAround(..) | Expr::Backref { .. } | Expr::Conditional { .. }
        )
    };
    !is_special(tree)
        && !tree.has_descendant(is_special)
        && regex::RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().is_ok()
}

/// Parts of an expression with their repetitions; `None` for constructs whose cost cannot be told, such as calls of groups.
pub fn count_parts(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::SubroutineCall(_)
        | Expr::BacktrackingControlVerb(_)
        | Expr::Absent(_)
        | Expr::DefineGroup { .. }
        | Expr::AstNode(..)
        | Expr::KeepOut
        | Expr::ContinueFromPreviousMatchEnd
        | Expr::BackrefWithRelativeRecursionLevel { .. } => return None,
        _ => {}
    }
    let mut parts = 1_u64;
    for child in expression.children_iter() {
        parts = parts.saturating_add(count_parts(child)?);
    }
    match expression {
        Expr::Repeat { lo, hi, .. } => {
            let times = if *hi == usize::MAX { *lo } else { *hi };
            Some(parts.saturating_mul(times.max(1) as u64))
        }
        _ => Some(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_back_is_told_and_counted() {
        let rows = [
            ("(a+)+$", true, true),
            ("(?=a)x{498}", false, true),
            ("(?=a)x{499}", false, false),
            ("(?:x*+){250}", false, true),
            ("(?:x*+){251}", false, false),
            ("(?=a)(x{99}){99}", false, false),
            (r"(a)\1", false, true),
            // Its cost cannot be told.
            (r"(a)\g<1>", false, false),
        ];
        for (pattern, linear, fits) in rows {
            let tree = parse(pattern).unwrap();
            assert_eq!(is_linear(pattern, &tree), linear, "{pattern}");
            let parts = count_parts(&tree);
            assert_eq!(parts.is_some_and(|parts| parts <= PARTS_MAX), fits, "{pattern}: {parts:?}");
        }
        assert!(parse("(").is_err() && compile("(", 10).is_err());
    }
}
