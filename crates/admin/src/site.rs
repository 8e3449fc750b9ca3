//! The page: three files that are part of the program.

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};

const PAGE: &str = include_str!("../assets/page.html");
const SCRIPT: &str = include_str!("../assets/page.js");
const STYLE: &str = include_str!("../assets/page.css");
const ICON: &str = include_str!("../assets/icon.svg");

type Typed = ([(HeaderName, HeaderValue); 1], &'static str);

pub(crate) async fn script() -> Typed {
    typed("text/javascript; charset=utf-8", SCRIPT)
}

pub(crate) async fn style() -> Typed {
    typed("text/css; charset=utf-8", STYLE)
}

pub(crate) async fn icon() -> Typed {
    typed("image/svg+xml", ICON)
}

const fn typed(kind: &'static str, text: &'static str) -> Typed {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text)
}

/// The page, whose files lie below its own path. Nothing runs on it but the script that bears this answer's number.
pub(crate) async fn page(OriginalUri(uri): OriginalUri) -> Response {
    let mut number = [0; 16];
    if getrandom::fill(&mut number).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let nonce = STANDARD.encode(number);
    // One slash: a path that begins with two would name a host.
    let base = match uri.path().trim_matches('/') {
        "" => String::new(),
        path => escaped(&format!("/{path}")),
    };
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{base}}", &base);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    let Ok(policy) = HeaderValue::try_from(policy) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

/// A text as a part of HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_makes_no_markup_of_a_text() {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "createContextualFragment",
            "DOMParser",
            "setAttribute(\"on",
            "javascript:",
            "srcdoc",
        ] {
            assert!(!SCRIPT.contains(way), "{way}");
        }
    }

    #[test]
    fn the_page_names_nothing_elsewhere_and_has_no_inline_handlers() {
        for text in [PAGE, STYLE] {
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("url(//"));
        }
        let script = SCRIPT.replace("http://www.w3.org/2000/svg", "");
        assert!(!script.contains("http:") && !script.contains("https:"));
        for handler in [" onclick", " onload", " onerror", " onsubmit", "style="] {
            assert!(!PAGE.contains(handler), "{handler}");
        }
        assert_eq!(
            PAGE.matches("<script").count(),
            PAGE.matches("nonce=\"{{nonce}}\"></script>").count()
        );
    }

    #[test]
    fn a_path_is_no_markup() {
        assert_eq!(escaped("/a\"><script>'&"), "/a&quot;&gt;&lt;script&gt;&#39;&amp;");
    }
}
