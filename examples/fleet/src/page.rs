//! The page that is made of a row: what was read, and who made it.

use std::fmt::{self, Display};

/// The length of a page, so that there is something to keep.
const LENGTH: usize = 2_000;

/// A page, as it stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The row.
    pub row: u64,
    /// The version that the handler read.
    pub version: u64,
    /// The instance that made it.
    pub maker: String,
}

impl Page {
    /// Reads a page; `None` when the text is none, or was cut short.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let page = Self {
            row: words.next()?.parse().ok()?,
            version: words.next()?.parse().ok()?,
            maker: words.next()?.to_owned(),
        };
        (text.len() == LENGTH).then_some(page)
    }
}

impl Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("{} {} {} ", self.row, self.version, self.maker);
        write!(f, "{head:.<LENGTH$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_was_written_and_only_whole() {
        let page = Page {
            row: 7,
            version: 12,
            maker: "a.3".to_owned(),
        };
        let text = page.to_string();
        assert_eq!(Page::read(&text), Some(page));
        assert_eq!(Page::read(&text[..1_999]), None);
        assert_eq!(Page::read("7 x"), None);
    }
}
