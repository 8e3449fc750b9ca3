//! Rust source as words and signs: without comments, literals, and what is only there for tests.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Sign(char),
}

/// Splits `text` into its tokens, without items under `#[cfg(test)]`.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    without_tests(&all_tokens(text))
}

fn all_tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_or_comment(rest);
        if length > 0 {
            rest = &rest[length..];
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// The length of the comment or literal that `text` begins with, else 0.
fn literal_or_comment(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    let prefix = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .unwrap_or("");
    let opened = &text[prefix.len()..];
    let hashes = opened.len() - opened.trim_start_matches('#').len();
    if prefix.ends_with('r') && opened[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let begin = prefix.len() + hashes + 1;
        return text[begin..]
            .find(&close)
            .map_or(text.len(), |end| begin + end + close.len());
    }
    if opened.starts_with('"') {
        return prefix.len() + quoted(opened, '"');
    }
    if opened.starts_with('\'') && is_character(opened) {
        return prefix.len() + quoted(opened, '\'');
    }
    0
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = if text[at..].starts_with("/*") {
            depth += 1;
            2
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            2
        } else {
            text[at..].chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a literal between two of the same sign.
fn quoted(text: &str, sign: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == sign && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Whether a text that begins with `'` begins with a character, not with a lifetime.
fn is_character(text: &str) -> bool {
    let mut following = text.chars().skip(1);
    following.next() == Some('\\') || following.next() == Some('\'')
}

fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        let attribute = attribute(rest);
        let inside = &rest[..attribute];
        if inside.contains(&Token::Word("cfg"))
            && inside.contains(&Token::Word("test"))
            && !inside.contains(&Token::Word("not"))
        {
            rest = &rest[attribute..];
            rest = &rest[item(rest)..];
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

/// How many tokens the outer attribute has that `tokens` begin with.
fn attribute(tokens: &[Token<'_>]) -> usize {
    if tokens.starts_with(&[Token::Sign('#'), Token::Sign('[')]) {
        1 + block(&tokens[1..], '[', ']')
    } else {
        0
    }
}

/// How many tokens the item has that `tokens` begin with: to its `;`, or to the end of its block.
fn item(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    let mut ends_with_block = true;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Sign(';') => return at + 1,
            Token::Sign('{') => {
                at += block(&tokens[at..], '{', '}');
                if ends_with_block {
                    return at;
                }
                continue;
            }
            Token::Word("use") => ends_with_block = false,
            _ => {}
        }
        at += 1;
    }
    at
}

fn block(tokens: &[Token<'_>], open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        if *token == Token::Sign(open) {
            depth += 1;
        } else if *token == Token::Sign(close) {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let words = tokens(text).into_iter().filter_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Sign(_) => None,
        });
        words.collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        let text = "a // crate::x\n b /* use /* y */ crate::z */ \"cr\\\"ate\" c r#\"u\"se\"# 'd' b'\\'' \"\\\\\" e<'f> c\"g\" '\\u{41}' h";
        assert_eq!(words(text), ["a", "b", "c", "e", "f", "h"]);
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let text = "use a; #[cfg(test)] use b::{c, d}; #[cfg(all(test, unix))] mod t { use e; { } } #[cfg(not(test))] use f;";
        assert_eq!(words(text), ["use", "a", "cfg", "not", "test", "use", "f"]);
        assert_eq!(words("#[cfg(test)] pub(crate) fn x() { y } z"), ["z"]);
        assert_eq!(words("#[cfg(test)] mod t; z"), ["z"]);
    }
}
