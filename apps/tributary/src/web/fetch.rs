//! One visit to a server: the host's turn, the request, redirects, and the body.

use std::{error::Error, net::IpAddr};

use ballet::timeout;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpInfo;
use tokio::time::Instant;
use url::{Host, Url};

use super::{
    Answer, Forbidden, Shared, Validators, Web, compute,
    dialect::{self, Word},
    redirects::Trail,
    resolve::Unresolved,
    unpack,
};
use crate::source::{Doing, Progress, Trouble};

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    pub url: &'a Url,
    /// The media types that are understood.
    pub accept: &'static str,
    /// Told to the origin of `url` only, and to nobody it redirects to.
    pub authorization: Option<HeaderValue>,
    /// What is known from the last time.
    pub known: Option<&'a Validators>,
    pub progress: &'a Progress,
}

/// What one exchange led to.
enum Step {
    Arrived(Response<Incoming>),
    Redirected,
}

impl Web {
    /// Asks, follows redirects, and gives the unpacked body.
    ///
    /// # Errors
    ///
    /// Everything that is not a good answer, as the [`Trouble`] it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes its connection. No turn at a host is lost by it that was not used.
    pub async fn get(&self, request: Request<'_>) -> Result<Answer, Trouble> {
        let shared = &self.0;
        let mut trail = Trail::new(request.url.clone());
        let mut left = shared.settings.timeout;
        loop {
            let host = host_of(trail.url())?;
            shared.hosts.turn(&host, request.progress).await?;
            let began = Instant::now();
            let exchange = Box::pin(shared.exchange(&request, &mut trail, &host));
            let out_of_time =
                |_| unreachable(&host, format!("took longer than {:?}", shared.settings.timeout));
            let arrived = timeout(left, exchange).await.map_err(out_of_time).flatten();
            let arrived = arrived.map_err(|trouble| trail.broken_off(trouble))?;
            left = left.saturating_sub(began.elapsed());
            if let Some((headers, body, bytes)) = arrived {
                let body = match body {
                    Some(packed) => Some(shared.unpack(&host, &headers, packed).await?),
                    None => None,
                };
                let (url, moved) = trail.end();
                return Ok(Answer { url, moved, headers, body, bytes });
            }
        }
    }
}

/// The head, the packed body unless it has not changed, and its length.
type Arrived = (HeaderMap, Option<Vec<u8>>, u64);

impl Shared {
    /// One request and its answer; none where the answer leads on.
    async fn exchange(
        &self,
        request: &Request<'_>,
        trail: &mut Trail,
        host: &str,
    ) -> Result<Option<Arrived>, Trouble> {
        request.progress.set(Doing::Asks { host: host.to_owned() });
        let response = match self.ask(request, trail, host).await? {
            Step::Arrived(response) => response,
            Step::Redirected => return Ok(None),
        };
        let (head, body) = response.into_parts();
        if head.status == StatusCode::NOT_MODIFIED {
            return Ok(Some((head.headers, None, 0)));
        }
        let packed = self.read(host, body, request.progress).await?;
        let bytes = packed.len() as u64;
        Ok(Some((head.headers, Some(packed), bytes)))
    }

    async fn ask(&self, request: &Request<'_>, trail: &mut Trail, host: &str) -> Result<Step, Trouble> {
        self.check_literal(trail.url())?;
        let (asked, is_conditional) = self.http_request(request, trail)?;
        let limit = self.settings.first_byte_timeout;
        let silent = |_| unreachable(host, format!("did not answer within {limit:?}"));
        let response = timeout(limit, self.client.request(asked)).await.map_err(silent)?;
        let response = response.map_err(|error| failed(host, &error))?;
        trail.answered();
        self.check_peer(&response)?;
        let (status, headers) = (response.status(), response.headers());
        let word = dialect::word(status, headers, self.clock.now());
        if let Some(word) = &word {
            self.hosts.hear(host, word);
        }
        match status.as_u16() {
            301 | 302 | 303 | 307 | 308 => {
                trail.follow(status, headers, self.settings.redirects_max)?;
                Ok(Step::Redirected)
            }
            304 if is_conditional => Ok(Step::Arrived(response)),
            200..=299 => Ok(Step::Arrived(response)),
            _ => Err(refused(host, status, word)),
        }
    }

    /// The request for where the trail stands, and whether it asks only for what has changed.
    fn http_request(
        &self,
        request: &Request<'_>,
        trail: &Trail,
    ) -> Result<(http::Request<Empty<Bytes>>, bool), Trouble> {
        let url = trail.url();
        let mut asked = http::Request::get(url.as_str())
            .header(header::USER_AGENT, &self.settings.user_agent)
            .header(header::ACCEPT, request.accept)
            .header(header::ACCEPT_ENCODING, unpack::ACCEPTED);
        if let Some(secret) = request.authorization.as_ref().filter(|_| trail.is_at_home()) {
            asked = asked.header(header::AUTHORIZATION, secret);
        }
        let conditions =
            request.known.map(|known| known.headers_for(url, self.clock.now())).unwrap_or_default();
        let is_conditional = !conditions.is_empty();
        for (name, value) in conditions {
            asked = asked.header(name, value);
        }
        let unfit = |error| Trouble::Refused { why: format!("{url} cannot be asked for: {error}") };
        Ok((asked.body(Empty::new()).map_err(unfit)?, is_conditional))
    }

    /// The guard for addresses that stand in the URL itself, which no resolver sees.
    fn check_literal(&self, url: &Url) -> Result<(), Trouble> {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            _ => return Ok(()),
        };
        self.settings.guard.check(address).map_err(forbidden)
    }

    /// Once more for the address that was really connected to, should a connector ever come by one another way.
    fn check_peer(&self, response: &Response<Incoming>) -> Result<(), Trouble> {
        match response.extensions().get::<HttpInfo>() {
            Some(info) => self.settings.guard.check(info.remote_addr().ip()).map_err(forbidden),
            None => Ok(()),
        }
    }

    /// The body as it comes, and no more of it than there may be.
    async fn read(&self, host: &str, mut body: Incoming, progress: &Progress) -> Result<Vec<u8>, Trouble> {
        let max = self.settings.body_bytes_max;
        let too_large =
            || Trouble::Broken { why: format!("the answer of {host} is larger than {max} bytes") };
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let cut = |error: hyper::Error| Trouble::Broken {
                why: format!("{host} broke off its answer: {}", chain(&error)),
            };
            // Trailers say nothing that is needed.
            let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
            if read.len() + data.len() > max {
                return Err(too_large());
            }
            read.extend_from_slice(&data);
            progress.set(Doing::Reads { host: host.to_owned(), bytes: read.len() as u64 });
        }
        Ok(read)
    }

    async fn unpack(&self, host: &str, headers: &HeaderMap, packed: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let Some(coding) = headers.get(header::CONTENT_ENCODING) else { return Ok(packed) };
        let coding = String::from_utf8_lossy(coding.as_bytes()).into_owned();
        let max = self.settings.body_bytes_max;
        let unpacked = compute(move || unpack::unpack(&coding, packed, max)).await?;
        unpacked.map_err(|error| Trouble::Broken { why: format!("{host}: {error}") })
    }
}

/// The name under which a server is known: with the port, where it is not the usual one.
fn host_of(url: &Url) -> Result<String, Trouble> {
    let unfit = || Trouble::Refused { why: format!("{url} names no host") };
    let host = url.host_str().ok_or_else(unfit)?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

fn unreachable(host: &str, what: impl std::fmt::Display) -> Trouble {
    Trouble::Unreachable { why: format!("{host} {what}") }
}

fn forbidden(refusal: Forbidden) -> Trouble {
    Trouble::Refused { why: refusal.to_string() }
}

/// What a status means that is no good answer.
fn refused(host: &str, status: StatusCode, word: Option<Word>) -> Trouble {
    let answered = format!("{host} answered {status}");
    if status == StatusCode::GONE {
        return Trouble::Gone { why: answered };
    }
    if let Some(Word { wait, why, is_stop: true }) = word {
        return Trouble::Later { wait, why: format!("{host}: {why}") };
    }
    let why = answered;
    match status.as_u16() {
        // These two pass.
        408 | 425 => Trouble::Broken { why },
        400..=499 => Trouble::Refused { why },
        _ => Trouble::Broken { why },
    }
}

/// What kept a request from being answered.
fn failed(host: &str, error: &hyper_util::client::legacy::Error) -> Trouble {
    match cause(error) {
        Some(Unresolved::Forbidden(refusal)) => {
            return Trouble::Refused { why: format!("{host}: {refusal}") };
        }
        // It says all that there is to say.
        Some(unresolved) => return unreachable(host, format!("cannot be reached: {unresolved}")),
        None => {}
    }
    let is_unreadable =
        cause::<hyper::Error>(error).is_some_and(|error| error.is_parse() || error.is_parse_too_large());
    if is_unreadable {
        return Trouble::Broken { why: format!("{host} does not speak HTTP as it should: {}", chain(error)) };
    }
    // What is above the last cause only says that it was a connection.
    let last = causes(error).last().map(ToString::to_string).unwrap_or_default();
    unreachable(host, format!("cannot be reached: {last}"))
}

/// The first cause of this type.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// An error with its causes, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    // Some repeat their cause.
    texts.dedup_by(|cause, before| before.ends_with(cause.as_str()));
    texts.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}
