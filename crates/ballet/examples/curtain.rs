//! A program with a calm job, a stubborn one and a finalizer. End it with Ctrl-C, and again to skip ahead.
//!
//! ```console
//! $ cargo run -p ballet --example curtain
//! ```

use std::time::Duration;

use ballet::{Error, Scope, Stage};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let stubborn = std::env::args().any(|argument| argument == "--stubborn");
    let stage = Stage::new()
        .drain(Duration::from_millis(500))
        .cancel(Duration::from_millis(500))
        .finalize(Duration::from_millis(500));
    let curtain = stage.run(async |s: Scope| play(&s, stubborn)).await;
    print!("{curtain}");
    curtain.exit_code()
}

fn play(s: &Scope, stubborn: bool) -> Result<(), Error> {
    s.defer(async {
        println!("the lights go out");
        Ok(())
    });
    s.named("calm").spawn(async {
        println!("playing; press Ctrl-C");
        ballet::draining().await;
        println!("calm: the last bow");
        Ok(())
    });
    s.named("ticker").spawn(async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }) as ballet::Deferred<()>;
    if stubborn {
        s.named("stubborn").spawn(ballet::shield(std::future::pending::<Result<(), Error>>()));
    }
    Ok(())
}
