//! Whether a request may use the cache and a response may be kept, or the named reason why not. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use larder_store::ReadToken;

use crate::cache_control::Directives;
use crate::hints::CacheHints;
use crate::policy::{Policy, RequestView};
use crate::reading::Reading;
use crate::rules::SetCookie;
use crate::status::{BypassReason, UncacheableReason};
use crate::targeted;
use crate::wishes::Wishes;

/// A request that may use the cache: what one look at its headers told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// It is a HEAD.
    pub(crate) head: bool,
    /// It has at least one of the condition headers (RFC 9110 §13.1).
    pub(crate) conditional: bool,
    /// It has a `Range`.
    pub(crate) range: bool,
    /// It has an `Authorization` that was not looked at.
    pub(crate) authorized: bool,
    /// It accepts a content coding, so that a layer around may encode the body after this one: an `ETag` made here
    /// then names more than one representation, and must be weak (RFC 9110 §8.8.1).
    pub(crate) encodings: bool,
    /// What it is content with.
    pub(crate) reading: Reading,
    /// It may say what it wants of the cache, where that counts: [`Wishes`] has what.
    pub(crate) wishes: bool,
}

impl Asked {
    /// A plain GET that accepts no coding.
    pub(crate) const GET: Self = Self {
        head: false,
        conditional: false,
        range: false,
        authorized: false,
        encodings: false,
        reading: Reading::Usual,
        wishes: false,
    };

    /// What a request with these headers wants of the cache. Read where it is needed: most say nothing, and a hit is not
    /// to carry it about.
    #[inline]
    pub(crate) fn wishes(&self, headers: &HeaderMap) -> Option<Wishes> {
        if self.wishes { Wishes::of(headers) } else { None }
    }
}

/// Who asks, as far as the answer depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) asked: Asked,
    pub(crate) headers: &'a HeaderMap,
}

impl Asker<'_> {
    pub(crate) const fn method(&self) -> Method {
        if self.asked.head {
            Method::HEAD
        } else {
            Method::GET
        }
    }
}

/// Whether `request` may use a layer with this policy.
///
/// Who asks is not decided here: a layer by identity lets credentials pass and asks its `Identify`.
pub(crate) fn request<B: Body>(request: &Request<B>, policy: &Policy) -> Result<Asked, BypassReason> {
    let head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Err(BypassReason::Method),
    };
    let asked = headers(request.headers(), policy, head)?;
    // A body that a layer around has wrapped may know its length and not its end.
    if !request.body().is_end_stream() && request.body().size_hint().exact() != Some(0) {
        return Err(BypassReason::Body);
    }
    // The key has one host, and a handler could see the other (RFC 9112 §3.2.2).
    if let (Some(authority), Some(host)) = (request.uri().authority(), request.headers().get(header::HOST))
        && host != authority.as_str()
    {
        return Err(BypassReason::Host);
    }
    if let Some(hosts) = &policy.hosts
        && !authority(request).is_some_and(|host| hosts.iter().any(|other| other.eq_ignore_ascii_case(host)))
    {
        return Err(BypassReason::Host);
    }
    if policy.bypass.iter().any(|rule| rule(view(request))) {
        return Err(BypassReason::Rule);
    }
    Ok(asked)
}

const CONDITIONS: [HeaderName; 4] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
];

/// One pass over the headers: a look-up of each name of interest would cost more on every hit.
fn headers(headers: &HeaderMap, policy: &Policy, head: bool) -> Result<Asked, BypassReason> {
    let mut asked = Asked { head, ..Asked::GET };
    let mut hosts = 0;
    for (name, value) in headers {
        // Compared as the names that they are, not as text: a known name is one byte.
        if *name == header::HOST {
            // One that is no text is no host (RFC 9110 §7.2), and must not be taken for another that is none.
            hosts += if value.to_str().is_ok() { 1 } else { 2 };
        } else if *name == header::ACCEPT_ENCODING {
            asked.encodings |= admits_coding(value);
        } else if CONDITIONS.contains(name) {
            asked.conditional = true;
        } else if *name == header::RANGE {
            asked.range = true;
        } else if *name == header::UPGRADE {
            return Err(BypassReason::Upgrade);
        } else if *name == header::TRANSFER_ENCODING
            || *name == header::CONTENT_LENGTH && value.as_bytes() != b"0"
        {
            return Err(BypassReason::Body);
        } else if policy.rules.request_directives
            && (*name == header::CACHE_CONTROL || *name == header::PRAGMA)
        {
            asked.wishes = true;
        } else if *name == header::COOKIE && !policy.rules.transparent {
            let (token, others) = ReadToken::of_line(value);
            match token {
                Some(ReadToken::Bypass) => return Err(BypassReason::ReadToken),
                Some(ReadToken::Validate) => asked.reading = Reading::Strict,
                None => {}
            }
            if policy.shared && others && !policy.ignore_cookies {
                return Err(BypassReason::Cookie);
            }
        } else if policy.shared {
            if *name == header::AUTHORIZATION {
                if !policy.rules.transparent {
                    return Err(BypassReason::Authorization);
                }
                asked.authorized = true;
            }
            if is_identity(name, policy) {
                return Err(BypassReason::IdentityHeader);
            }
        }
    }
    if hosts > 1 {
        return Err(BypassReason::Host);
    }
    Ok(asked)
}

/// Whether a request of nobody may use the entries that a layer by identity shares among anonymous requests: the same
/// rules as in a shared layer.
pub(crate) fn anonymous(headers: &HeaderMap, policy: &Policy) -> Result<(), BypassReason> {
    if !policy.share_anonymous || headers.contains_key(header::AUTHORIZATION) {
        return Err(BypassReason::NoIdentity);
    }
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if !policy.ignore_cookies && cookies.any(|line| ReadToken::of_line(line).1) {
        return Err(BypassReason::Cookie);
    }
    if headers.keys().any(|name| is_identity(name, policy)) {
        return Err(BypassReason::IdentityHeader);
    }
    Ok(())
}

#[inline]
fn is_identity(name: &HeaderName, policy: &Policy) -> bool {
    // All of them are long enough to tell by their length that `accept` and the like are none.
    name.as_str().len() >= policy.shortest_identity && policy.identity_headers.contains(name)
}

/// The host and port that the request names: in its URI (absolute form, HTTP/2), else in `Host` (RFC 9110 §7.2).
pub(crate) fn authority<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(header::HOST)?.to_str().ok(),
    }
}

/// The same for the key, in which it is not text.
pub(crate) fn host<B>(request: &Request<B>) -> Option<&[u8]> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => request.headers().get(header::HOST).map(HeaderValue::as_bytes),
    }
}

/// Whether it is known which host the request is for.
pub(crate) fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let (first, second) = (lines.next(), lines.next());
    let agrees = first.is_none_or(|host| match request.uri().authority() {
        Some(authority) => host == authority.as_str(),
        None => host.to_str().is_ok(),
    });
    agrees && second.is_none()
}

/// The request as the rules of the application see it.
pub(crate) fn view<B>(request: &Request<B>) -> RequestView<'_> {
    RequestView {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        extensions: request.extensions(),
    }
}

fn admits_coding(value: &HeaderValue) -> bool {
    let value = value.as_bytes().trim_ascii();
    !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
}

/// A response that may be kept as far as its head tells, and what that says.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) directives: Directives,
    /// The directives are those of a targeted field: `Expires` says nothing (RFC 9213 §2.2).
    pub(crate) targeted: bool,
    pub(crate) hints: CacheHints,
}

/// Whether a response may be kept as far as its head tells, by one for all or, unless `shared`, for one identity. Its
/// lifetime is [`freshness`](crate::freshness)'s to find. `authorized`: its request carried `Authorization`, whoever that is.
pub(crate) fn response(
    status: StatusCode,
    headers: &HeaderMap,
    hints: CacheHints,
    policy: &Policy,
    shared: bool,
    authorized: bool,
) -> Result<Admitted, UncacheableReason> {
    use UncacheableReason as Reason;
    let rules = &policy.rules;
    if hints.no_store {
        return Err(Reason::Hint);
    }
    let mut own = Directives::of(headers);
    let targeted = targeted::directives(headers, &rules.targeted);
    let mut forbidden = Vec::new();
    if targeted.is_some() && !rules.targeted_overrides {
        forbids(status, &own, policy, shared)?;
        forbidden = std::mem::take(&mut own.private_fields);
    }
    let (mut directives, targeted) = match targeted {
        Some(directives) => (directives, true),
        None => (own, false),
    };
    forbids(status, &directives, policy, shared)?;
    // Only now: a targeted `private` means the whole response.
    directives.private_fields.append(&mut forbidden);
    if directives.forbids_reuse(rules.origin) && hints.ttl.is_none() && !rules.revalidate {
        return Err(Reason::NoCache);
    }
    if authorized && !directives.consent {
        return Err(Reason::Authorization);
    }
    let cookies = rules.set_cookie == SetCookie::Refuse && headers.contains_key(header::SET_COOKIE);
    if cookies && !left_out(&directives, policy).contains(&header::SET_COOKIE) {
        return Err(Reason::SetCookie);
    }
    if varies_by_all(headers) {
        return Err(Reason::VaryStar);
    }
    if is_stream(status, headers) {
        return Err(Reason::Streaming);
    }
    // In a response other than 206 and 416 `Content-Range` means nothing (RFC 9110 §14.4): an application that sends it
    // sends a part all the same.
    if status.is_informational()
        || matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
        || answers_one_request(status)
        || headers.contains_key(header::CONTENT_RANGE) && !rules.origin
    {
        return Err(Reason::Status);
    }
    Ok(Admitted {
        directives,
        targeted,
        hints,
    })
}

/// The header fields of a response that are not kept with it: those that its directives name, and cookies.
pub(crate) fn left_out(directives: &Directives, policy: &Policy) -> Vec<HeaderName> {
    let mut names = Vec::new();
    if policy.rules.origin {
        names.extend(
            directives
                .private_fields
                .iter()
                .chain(&directives.no_cache_fields)
                .cloned(),
        );
    }
    if policy.rules.set_cookie == SetCookie::Strip {
        names.push(header::SET_COOKIE);
    }
    names
}

/// What `no-store` and `private` forbid (RFC 9111 §5.2.2).
fn forbids(
    status: StatusCode,
    directives: &Directives,
    policy: &Policy,
    shared: bool,
) -> Result<(), UncacheableReason> {
    // A status whose rules the cache knows may be kept in spite of `no-store`; any other may not (§5.2.2.3).
    let understood = directives.must_understand && is_understood(status);
    if (directives.must_understand || directives.no_store) && !understood {
        return Err(UncacheableReason::NoStore);
    }
    if shared && directives.is_private(policy.rules.origin) {
        return Err(UncacheableReason::Private);
    }
    Ok(())
}

/// The statuses that RFC 9110 §15 defines, and that are final: their rules are known here.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// The statuses by which a server refuses what one request asks beside its target: its conditions, its range, its
/// `Expect`. They say nothing to others, however fresh they call themselves.
const fn answers_one_request(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::EXPECTATION_FAILED
    )
}

/// `Vary: *`; and what is no header's name, which may stand for anything.
fn varies_by_all(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::VARY).iter();
    let mut members = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    members.any(|name| !name.is_empty() && (name == b"*" || HeaderName::from_bytes(name).is_err()))
}

/// Event streams, other protocols, and what announces trailers.
fn is_stream(status: StatusCode, headers: &HeaderMap) -> bool {
    let is = |prefix: &[u8]| {
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes()
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
    };
    status == StatusCode::SWITCHING_PROTOCOLS
        || headers.contains_key(header::TRAILER)
        || is(b"text/event-stream")
        || is(b"multipart/x-mixed-replace")
        || is(b"application/grpc")
}
