//! Tags with placeholders, as the macros read them: by the rules of `larder::TagTemplate`.

use syn::LitStr;

/// A text in which placeholders stand in braces.
pub(crate) struct Template {
    pub(crate) text: LitStr,
    pub(crate) placeholders: Vec<String>,
    /// The text for `format!`, with an argument for each placeholder.
    pub(crate) format: String,
}

impl Template {
    /// Reads a template.
    pub(crate) fn read(text: LitStr) -> syn::Result<Self> {
        let value = text.value();
        let fail = |why: String| Err(syn::Error::new(text.span(), why));
        if value.is_empty() {
            return fail("this is empty: a tag needs a name".to_owned());
        }
        let (mut placeholders, mut format) = (Vec::new(), String::new());
        let mut rest = value.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let brace = &rest[at..=at];
            format.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                format.push_str(brace);
                rest = after;
                continue;
            }
            let Some(end) = rest.find('}').filter(|_| brace == "{") else {
                return fail(format!(
                    "`{brace}` has no partner; write `{brace}{brace}` for a brace that is none of a placeholder"
                ));
            };
            placeholders.push(rest[..end].to_owned());
            format.push('}');
            rest = &rest[end + 1..];
        }
        format.push_str(rest);
        Ok(Self {
            text,
            placeholders,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    fn read(text: &str) -> Result<(Vec<String>, String), String> {
        match Template::read(LitStr::new(text, Span::call_site())) {
            Ok(template) => Ok((template.placeholders, template.format)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn templates_are_read_as_at_run_time() {
        let good = |names: &[&str], format: &str| {
            Ok((
                names.iter().map(|name| (*name).to_owned()).collect(),
                format.to_owned(),
            ))
        };
        assert_eq!(read("team:{id}"), good(&["id"], "team:{}"));
        assert_eq!(read("{a}{b}é"), good(&["a", "b"], "{}{}é"));
        assert_eq!(read("{{a}}"), good(&[], "{{a}}"));
        for (text, why) in [
            ("", "empty"),
            ("{a", "`{` has no partner"),
            ("a}", "`}` has no partner"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }
}
