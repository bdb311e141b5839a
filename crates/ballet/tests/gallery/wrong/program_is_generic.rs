//! What an attribute cannot carry over is refused, and nothing is left out in silence.

#[ballet::main]
async fn program<T>(_: ballet::Scope) -> Result<(), ballet::Error> {
    Ok(())
}

#[ballet::test]
async unsafe fn unsafe_test() {}

#[ballet::test(seeds = 3, seeds = 4)]
async fn in_which_orders() {}

fn main() {}
