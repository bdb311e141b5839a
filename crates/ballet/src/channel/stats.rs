//! What can be seen of a channel.

/// How full a channel is, who is at it, and what it has done since it was made: all figures of the same moment.
///
/// # Examples
///
/// ```
/// let (tx, rx) = ballet::channel::bounded(2);
/// tx.try_send('a').unwrap();
/// tx.try_send('b').unwrap();
/// rx.try_recv().unwrap();
///
/// let now = tx.stats();
/// assert_eq!((now.places, now.len, now.peak), (2, 1, 2));
/// assert_eq!((now.sent, now.received, now.dropped), (2, 1, 0));
/// assert_eq!((now.send_waits, now.recv_waits), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many places there are: 0 at a rendezvous, `usize::MAX` without a bound.
    pub places: usize,
    /// How many items are in it.
    pub len: usize,
    /// The most that were ever in it.
    pub peak: usize,
    /// How often an item was put into it.
    pub sent: u64,
    /// How often an item was taken out of it.
    pub received: u64,
    /// How many items it dropped: the oldest or the latest where it was full, and what was left in it when the last
    /// receiver went.
    pub dropped: u64,
    /// How often a sender had to wait. Often: the receivers are too slow, or the places too few.
    pub send_waits: u64,
    /// How often a receiver had to wait. Seldom: the receivers are behind.
    pub recv_waits: u64,
    /// How many senders wait now.
    pub waiting_senders: usize,
    /// How many receivers wait now.
    pub waiting_receivers: usize,
    /// How many sender handles there are.
    pub senders: usize,
    /// How many receiver handles there are.
    pub receivers: usize,
}
