use ballet::{Error, Scope};

mod program {
    use super::{Error, Scope};

    /// Has a name that the attribute might take.
    async fn body(_: Scope) -> Result<(), Error> {
        Err(Error::msg("not the body of the program"))
    }

    #[ballet::main]
    pub(super) async fn main(s: Scope) -> Result<(), Error> {
        assert!(body(s).await.is_err());
        Ok(())
    }
}

pub(crate) fn main() -> Result<(), Error> {
    program::main();
    Ok(())
}
