//! How large a rule of access may be. Cedar reads and checks what is nested by calling itself: without a bound, a text
//! of a few kilobytes would end the service.

use super::PolicyError;

/// Brackets within brackets.
const MOST_NESTED: usize = 16;

/// Words, signs and texts of one rule. Each level of a chain (`a || b || …`, `if … else if …`) takes three or more.
const MOST_TOKENS: usize = 256;

/// Whether no rule in the text is larger than is read.
pub(super) fn check(text: &str) -> Result<(), PolicyError> {
    let (mut nested, mut tokens, mut rule) = (0_usize, 0_usize, 1_usize);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => continue,
            '/' if chars.peek() == Some(&'/') => {
                // Where Cedar ends it.
                chars.by_ref().find(|c| matches!(c, '\n' | '\r'));
                continue;
            }
            '"' => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '"' => break,
                        '\\' => drop(chars.next()),
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => nested += 1,
            ')' | ']' | '}' => nested = nested.saturating_sub(1),
            c if is_word(c) => while chars.next_if(|c| is_word(*c)).is_some() {},
            ';' if nested == 0 => (tokens, rule) = (0, rule + 1),
            _ => {}
        }
        tokens += 1;
        if nested > MOST_NESTED || tokens > MOST_TOKENS {
            return Err(PolicyError::TooLarge { rule });
        }
    }
    Ok(())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_bounded_one_by_one() {
        let good = "@zh(\"((((((((((((((((((((\") permit (principal) when { a || b }; // (((((((((((((((((((((\n";
        assert!(check(&good.repeat(500)).is_ok());
        assert!(check(&format!("// {}\r{}", "(".repeat(99), "(".repeat(99))).is_err());
        let nested = |depth| format!("{good}permit {}{};", "(".repeat(depth), ")".repeat(depth));
        assert!(check(&nested(MOST_NESTED)).is_ok());
        assert!(matches!(check(&nested(MOST_NESTED + 1)), Err(PolicyError::TooLarge { rule: 2 })));
        for link in ["a || ", "if a then b else ", "a + ", "! ", "- ", ".a", "\"\\\"\" ", "a has "]
        {
            assert!(check(&link.repeat(50)).is_ok(), "{link}");
            let refused = check(&link.repeat(300));
            assert!(matches!(refused, Err(PolicyError::TooLarge { rule: 1 })), "{link}");
        }
    }
}
