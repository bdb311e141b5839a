//! The channels that take part, behind one trait.

use std::future::Future;

/// A channel of `u64`s with many senders.
pub(crate) trait Carrier: 'static {
    type Tx: Clone + Send + Sync + 'static;
    type Rx: Send + 'static;

    fn open(places: usize) -> (Self::Tx, Self::Rx);
    /// Whether the receiver was there for it.
    fn send(tx: &Self::Tx, item: u64) -> impl Future<Output = bool> + Send;
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<u64>> + Send;
}

pub(crate) struct Ballet;

impl Carrier for Ballet {
    type Tx = ballet::channel::Sender<u64>;
    type Rx = ballet::channel::Receiver<u64>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        ballet::channel::bounded(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok().flatten()
    }
}

/// One receiver only.
pub(crate) struct Tokio;

impl Carrier for Tokio {
    type Tx = tokio::sync::mpsc::Sender<u64>;
    type Rx = tokio::sync::mpsc::Receiver<u64>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        tokio::sync::mpsc::channel(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await
    }
}

pub(crate) struct Crossfire;

impl Carrier for Crossfire {
    type Tx = crossfire::MAsyncTx<crossfire::mpmc::Array<u64>>;
    type Rx = crossfire::MAsyncRx<crossfire::mpmc::Array<u64>>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        crossfire::mpmc::bounded_async(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok()
    }
}

pub(crate) struct Flume;

impl Carrier for Flume {
    type Tx = flume::Sender<u64>;
    type Rx = flume::Receiver<u64>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        flume::bounded(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send_async(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv_async().await.ok()
    }
}

pub(crate) struct AsyncChannel;

impl Carrier for AsyncChannel {
    type Tx = async_channel::Sender<u64>;
    type Rx = async_channel::Receiver<u64>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        async_channel::bounded(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok()
    }
}

pub(crate) struct Kanal;

impl Carrier for Kanal {
    type Tx = kanal::AsyncSender<u64>;
    type Rx = kanal::AsyncReceiver<u64>;

    fn open(places: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(places)
    }

    async fn send(tx: &Self::Tx, item: u64) -> bool {
        tx.send(item).await.is_ok()
    }

    async fn recv(rx: &mut Self::Rx) -> Option<u64> {
        rx.recv().await.ok()
    }
}
