//! Where redirects lead, and whether for good.

use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::source::Trouble;

/// The addresses of one visit, from the first to where it stands.
#[derive(Debug)]
pub(super) struct Trail {
    steps: Vec<Url>,
    url: Url,
    /// Every step so far said that it holds for good.
    is_permanent: bool,
    /// Whether the head of any answer has come.
    is_answered: bool,
}

impl Trail {
    pub(super) fn new(url: Url) -> Self {
        Self { steps: Vec::new(), url, is_permanent: true, is_answered: false }
    }

    /// Where it stands.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it stands at the origin it began at, so that what is meant for that one may be told.
    pub(super) fn is_at_home(&self) -> bool {
        self.steps.first().is_none_or(|first| first.origin() == self.url.origin())
    }

    /// The head of an answer has come.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// What ended it on the way. Once it has had an answer, the host that it began at lives, whoever is silent then.
    pub(super) fn broken_off(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Unreachable { why } if self.is_answered => Trouble::Broken { why },
            trouble => trouble,
        }
    }

    /// Goes on to where an answer points.
    ///
    /// # Errors
    ///
    /// When it points nowhere, back, or once too often.
    pub(super) fn follow(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        max: usize,
    ) -> Result<(), Trouble> {
        let next = target(&self.url, headers).ok_or_else(|| Trouble::Broken {
            why: format!("{} redirects ({status}) to nowhere", self.url),
        })?;
        if self.url == next || self.steps.contains(&next) {
            return Err(Trouble::Broken { why: format!("{} redirects in a circle, to {next}", self.url) });
        }
        if self.steps.len() >= max {
            return Err(Trouble::Broken { why: format!("more than {max} redirects, the last to {next}") });
        }
        self.is_permanent &= is_permanent(status, &self.url, &next);
        self.steps.push(std::mem::replace(&mut self.url, next));
        Ok(())
    }

    /// Where it stands, and that address once more where all the way there is for good.
    pub(super) fn end(self) -> (Url, Option<Url>) {
        let has_moved = self.is_permanent && !self.steps.is_empty();
        let moved = has_moved.then(|| self.url.clone());
        (self.url, moved)
    }
}

/// A redirect that gives up encryption is followed, and not kept: the next visit asks at the safe address again.
fn is_permanent(status: StatusCode, from: &Url, to: &Url) -> bool {
    let is_for_good = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
    is_for_good && !(from.scheme() == "https" && to.scheme() == "http")
}

fn target(from: &Url, headers: &HeaderMap) -> Option<Url> {
    // Some servers send it in UTF-8, which the header's own text would refuse.
    let location = std::str::from_utf8(headers.get(header::LOCATION)?.as_bytes()).ok()?;
    let mut next = from.join(location.trim()).ok()?;
    let is_web = matches!(next.scheme(), "http" | "https") && next.has_host();
    next.set_fragment(None);
    // A server that is redirected to gets no password out of somebody else's redirect.
    let is_anonymous = next.username().is_empty() && next.password().is_none();
    (is_web && is_anonymous).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(steps: &[(u16, &str)]) -> Result<(Url, Option<Url>), Trouble> {
        let mut trail = Trail::new("https://a.example/feed".parse().unwrap());
        for (status, to) in steps {
            let headers = [(header::LOCATION, to.parse().unwrap())].into_iter().collect();
            trail.follow(StatusCode::from_u16(*status).unwrap(), &headers, 3)?;
        }
        Ok(trail.end())
    }

    fn moved(steps: &[(u16, &str)]) -> Option<String> {
        trail(steps).unwrap().1.map(String::from)
    }

    #[test]
    fn an_address_is_kept_only_where_the_whole_way_there_is_for_good() {
        assert_eq!(moved(&[]), None);
        assert_eq!(moved(&[(301, "/new")]).unwrap(), "https://a.example/new");
        assert_eq!(moved(&[(301, "/new"), (308, "https://b.example/")]).unwrap(), "https://b.example/");
        assert_eq!(moved(&[(301, "/new"), (302, "/now")]), None);
        assert_eq!(moved(&[(302, "/now"), (301, "/new")]), None);
        assert_eq!(moved(&[(301, "http://a.example/feed")]), None);
    }

    #[test]
    fn ways_that_lead_nowhere_end() {
        for steps in [
            &[(301, "/feed")][..],
            &[(302, "/1"), (302, "/2"), (302, "/1")],
            &[(302, "/1"), (302, "/2"), (302, "/3"), (302, "/4")],
            &[(302, "file:///etc/passwd")],
            &[(302, "https://me:secret@b.example/")],
        ] {
            assert!(matches!(trail(steps), Err(Trouble::Broken { .. })), "{steps:?}");
        }
    }

    #[test]
    fn only_where_it_began_is_home() {
        let mut trail = Trail::new("https://a.example/feed".parse().unwrap());
        assert!(trail.is_at_home());
        let headers = [(header::LOCATION, "https://b.example/".parse().unwrap())].into_iter().collect();
        trail.follow(StatusCode::FOUND, &headers, 3).unwrap();
        assert!(!trail.is_at_home());
    }
}
