use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let folder = String::from("/tmp/stage");
    ballet::scope(async |s: Scope| {
        let folder = folder.clone();
        s.defer(async move {
            println!("removing {folder}");
            Ok(())
        });
        Ok(())
    })
    .await?;
    Ok(())
}
