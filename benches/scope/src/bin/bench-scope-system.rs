//! Measures with the system's allocator.

fn main() -> anyhow::Result<()> {
    bench_scope::serve()
}
