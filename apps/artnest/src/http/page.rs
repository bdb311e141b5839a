//! The page: files of `page/`, embedded, so that the binary is all there is to install. In a debug build they are read
//! from the disk, so that the page can be worked on without building.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use super::{
    access::InPath,
    problem::{Kind, Problem},
};

/// The page runs only its own scripts and speaks only to its own server; its images may be made by itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "page"]
#[exclude = "tests/*"]
#[allow_missing = true]
struct Files;

pub(super) async fn index(headers: HeaderMap) -> Response {
    document(&headers, StatusCode::OK)
}

/// The page says by itself that there is nothing.
pub(super) async fn unknown(headers: HeaderMap) -> Response {
    document(&headers, StatusCode::NOT_FOUND)
}

fn document(headers: &HeaderMap, status: StatusCode) -> Response {
    let mut response = match file("index.html", headers) {
        Ok(response) => response,
        Err(problem) => return problem.into_response(),
    };
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

pub(super) async fn asset(InPath(path): InPath<String>, headers: HeaderMap) -> Result<Response, Problem> {
    file(&path, &headers)
}

/// Served afresh after an upgrade, and from the browser's cache in between.
fn file(path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let absent = || Problem::new(Kind::NotFound, "The page has no such file.");
    let file = Files::get(path).ok_or_else(absent)?;
    let tag = tag(&file.metadata.sha256_hash());
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let content: Cow<'static, [u8]> = file.data;
    let bytes = match content {
        Cow::Borrowed(bytes) => axum::body::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok((common, [(header::CONTENT_TYPE, media_type(path))], bytes).into_response())
}

fn tag(sha256: &[u8; 32]) -> String {
    let short: String = sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{short}\"")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
