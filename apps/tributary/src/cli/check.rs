//! `tributary check`: the file, and one visit of each source, of which nothing is kept.

use std::{path::Path, process::ExitCode, sync::Arc};

use ballet::SupervisorScope;
use futures_util::{StreamExt, stream};

use super::{Error, TROUBLE, say::say};
use crate::{
    clock::Clock,
    config::{Config, SourceSettings},
    item::Item,
    source::{Errand, Progress, SourceName, Trouble, Visited},
    web::Web,
};

/// Visits at the same time.
const VISITS_MAX: usize = 16;
const TITLE_CHARS_MAX: usize = 60;

pub(super) async fn check(
    path: &Path,
    config: &Config,
    only: Option<&SourceName>,
    offline: bool,
) -> Result<ExitCode, Error> {
    say(format_args!("{}: {}", path.display(), config.summary()))?;
    let chosen: Vec<_> = match only {
        None => config.sources.values().cloned().collect(),
        Some(name) => vec![config.sources.get(name).cloned().ok_or_else(|| Error::NoSource(name.clone()))?],
    };
    if offline {
        return Ok(ExitCode::SUCCESS);
    }
    let troubles = ballet::supervisor_scope(async |connections: SupervisorScope| {
        let web = Web::new(config.web.clone(), Clock::system(), connections)?;
        Ok(visit_all(&web, chosen).await)
    })
    .await
    .map_err(|failure| ballet::Error::msg(failure.to_string()))??;
    Ok(if troubles > 0 { TROUBLE.into() } else { ExitCode::SUCCESS })
}

/// Prints a line for each as it comes in; gives how many are in trouble.
async fn visit_all(web: &Web, sources: Vec<Arc<SourceSettings>>) -> Result<usize, Error> {
    let width = sources.iter().map(|source| source.name.as_str().len()).max().unwrap_or_default();
    let visits = sources.into_iter().map(|source| async move {
        let visited = visit(web, &source).await;
        (source, visited)
    });
    let mut visits = stream::iter(visits).buffer_unordered(VISITS_MAX);
    let mut troubles = 0;
    while let Some((source, visited)) = visits.next().await {
        match visited {
            Ok(visited) => say(format_args!("{:width$}  {}", source.name.as_str(), describe(&visited)))?,
            Err(trouble) => {
                troubles += 1;
                say(format_args!("{:width$}  {}: {trouble}", source.name.as_str(), word(&trouble)))?;
            }
        }
    }
    Ok(troubles)
}

async fn visit(web: &Web, source: &SourceSettings) -> Result<Visited, Trouble> {
    let errand = Errand {
        web,
        clock: &Clock::system(),
        source: &source.name,
        at: source.visit.address(),
        mark: None,
        progress: &Progress::default(),
    };
    source.visit.visit(&errand).await.map_err(Trouble::in_a_line)
}

fn describe(visited: &Visited) -> String {
    let newest = visited.items.iter().max_by_key(|item| item.published);
    let moved = visited.moved.as_ref().map(|to| format!("; it has moved to {to}")).unwrap_or_default();
    match newest {
        None => format!("0 items{moved}"),
        Some(newest) => format!("{} items, newest {}{moved}", visited.items.len(), headline(newest)),
    }
}

fn headline(item: &Item) -> String {
    let title = item.title.as_deref().unwrap_or("(no title)");
    let title: String = title.chars().filter(|letter| !letter.is_control()).take(TITLE_CHARS_MAX).collect();
    let day = item.published.map(|at| format!("{} ", at.strftime("%Y-%m-%d"))).unwrap_or_default();
    format!("{day}\"{title}\"")
}

fn word(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Later { .. } => "later",
        Trouble::Gone { .. } => "gone",
        Trouble::Refused { .. } => "refused",
        Trouble::Unreachable { .. } => "unreachable",
        Trouble::Broken { .. } => "broken",
    }
}
