//! What the tests need beyond Rust, found or installed, with one line a tool.
//!
//! Running it again is cheap and changes nothing. It looks at every tool before it fails, so that one run names
//! all that is missing. Tools that would start a service when installed are only unpacked, into `target/tools`:
//! read `debian.rs` for how.

mod debian;
mod tools;

pub(crate) use tools::made_from;

use anyhow::{Result, bail};

/// One thing the tests or the benchmarks need.
struct Tool {
    name: &'static str,
    /// Finds it or installs it; says what it is and where.
    ensure: fn() -> Result<String>,
}

/// In the order in which later ones need earlier ones.
const TOOLS: [Tool; 10] = [
    Tool { name: "rustfmt, clippy", ensure: tools::rust_components },
    Tool { name: "C compiler", ensure: tools::c_compiler },
    Tool { name: "smtp-sink", ensure: debian::smtp_sink },
    Tool { name: "promtool", ensure: debian::promtool },
    Tool { name: "nats-server", ensure: debian::nats_server },
    Tool { name: "chromium", ensure: debian::chromium },
    Tool { name: "node", ensure: tools::node },
    Tool { name: "page tests", ensure: tools::page_packages },
    Tool { name: "python", ensure: tools::python_packages },
    Tool { name: "feeds", ensure: tools::feedparser_corpus },
];

/// What the benchmark of Herald needs: a sink for its mails and a load generator.
const HERALD_BENCH_TOOLS: [Tool; 2] =
    [Tool { name: "smtp-sink", ensure: debian::smtp_sink }, Tool { name: "wrk", ensure: debian::wrk }];

/// What the benchmark of Artnest measures against.
const ARTNEST_BENCH_TOOLS: [Tool; 2] =
    [Tool { name: "node", ensure: tools::node }, Tool { name: "peers", ensure: tools::artnest_peers }];

/// What the benchmark of Tributary measures against: a reader of feeds among Python's packages.
const TRIBUTARY_BENCH_TOOLS: [Tool; 1] = [Tool { name: "python", ensure: tools::python_packages }];

/// What the comparison with other languages needs. What comes from Python's packages comes by the tests' Python.
const VERSUS_BENCH_TOOLS: [Tool; 3] = [
    Tool { name: "java", ensure: tools::java },
    Tool { name: "python", ensure: tools::python_packages },
    Tool { name: "go, kotlin, trio", ensure: tools::versus_packages },
];

/// Installs what the tests need.
pub(crate) fn run() -> Result<()> {
    ensure(&TOOLS)
}

/// Installs what a benchmark measures against or with.
pub(crate) fn for_benchmark(name: &str) -> Result<()> {
    match name {
        "artnest" => ensure(&ARTNEST_BENCH_TOOLS),
        "herald" => ensure(&HERALD_BENCH_TOOLS),
        "tributary" => ensure(&TRIBUTARY_BENCH_TOOLS),
        "channel" | "flow" | "versus" => ensure(&VERSUS_BENCH_TOOLS),
        _ => Ok(()),
    }
}

fn ensure(tools: &[Tool]) -> Result<()> {
    let mut missing = Vec::new();
    for tool in tools {
        match (tool.ensure)() {
            Ok(found) => println!("{:<16} {found}", tool.name),
            Err(error) => {
                eprintln!("{:<16} MISSING: {error:#}", tool.name);
                missing.push(tool.name);
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("set-up is incomplete; missing: {} (each one's reason stands above)", missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_fails_the_set_up_by_name_after_all_were_tried() {
        let tools = [
            Tool { name: "first", ensure: || bail!("no package") },
            Tool { name: "second", ensure: || Ok("found".into()) },
            Tool { name: "third", ensure: || bail!("no network") },
        ];
        let error = ensure(&tools).unwrap_err();
        assert!(error.to_string().contains("missing: first, third"), "{error}");
    }
}
