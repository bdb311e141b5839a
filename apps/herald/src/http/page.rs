//! The page at `/`: files of `src/page`, embedded, so that the binary is all there is to install.

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::problem::{Kind, Problem};

/// The page runs only its own scripts and speaks only to its own server. Styles may be inline for the mails alone:
/// their frame inherits this policy, and mails carry their styles in themselves. No frame may load anything over the
/// network, and nobody may frame the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'none'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const WOFF2: &str = "font/woff2";

pub(super) async fn index() -> Response {
    let mut response = file(HTML, include_bytes!("../page/index.html"));
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(match name.as_str() {
        "style.css" => file(CSS, include_bytes!("../page/style.css")),
        "app.js" => file(JAVASCRIPT, include_bytes!("../page/app.js")),
        "api.js" => file(JAVASCRIPT, include_bytes!("../page/api.js")),
        "dom.js" => file(JAVASCRIPT, include_bytes!("../page/dom.js")),
        "ledger.js" => file(JAVASCRIPT, include_bytes!("../page/ledger.js")),
        "detail.js" => file(JAVASCRIPT, include_bytes!("../page/detail.js")),
        "compose.js" => file(JAVASCRIPT, include_bytes!("../page/compose.js")),
        "states.js" => file(JAVASCRIPT, include_bytes!("../page/states.js")),
        "herald.svg" => file(SVG, include_bytes!("../page/herald.svg")),
        "newsreader.woff2" => file(WOFF2, include_bytes!("../page/fonts/newsreader.woff2")),
        "inter.woff2" => file(WOFF2, include_bytes!("../page/fonts/inter.woff2")),
        _ => return Err(Problem::new(Kind::NotFound, "The page has no such file.")),
    })
}

/// Served afresh after an upgrade, and from the browser's cache in between.
fn file(media_type: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, bytes).into_response()
}
