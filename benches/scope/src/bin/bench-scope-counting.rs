//! Measures with the system's allocator, every byte counted: for what a child takes, not for how long.

#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> anyhow::Result<()> {
    bench_scope::serve()
}
