//! The peer: a page of three parts by a bare `join!`, with the same server and client below it as the gateway.
//!
//! It has no deadline, no limits, no cache, no breaker and no trace; where a part fails, the page does. Its arguments
//! are the addresses of the parts, before the id. It says where it listens on standard output.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Parts {
    client: reqwest::Client,
    urls: [String; 3],
}

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let urls =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().ok().context("it takes three addresses")?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let router = Router::new().route("/page/{id}", get(page)).with_state(Parts { client, urls });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("address={}", listener.local_addr()?);
    // As the gateway does, so that no answer waits to fill a packet.
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), router).await?;
    Ok(())
}

async fn page(State(parts): State<Parts>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let fetch = async |url: &str| -> Result<Box<RawValue>> {
        let response = parts.client.get(format!("{url}{id}")).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&response.bytes().await?)?)
    };
    let [one, two, three] = &parts.urls;
    let (one, two, three) =
        tokio::try_join!(fetch(one), fetch(two), fetch(three)).map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(format!(r#"{{"data":[{one},{two},{three}]}}"#))
}
