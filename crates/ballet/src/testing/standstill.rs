//! The end of a test that cannot go on: it says who waits for what.
//!
//! When nothing can run, Tokio lets time jump to the next timer; so a timer at the end of time fires when no other is
//! left. Then every job is polled once more, and Ballet's own waits say what they are waits for (see `job::remark`).

use std::fmt::Write as _;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::idle::Idle;
use crate::job::{NodeRef, ask};
use crate::observe::Tree;

/// Runs the whole of a test.
///
/// # Panics
///
/// When nothing in it can go on.
pub(super) async fn guarded<R>(idle: &Arc<Idle>, test: impl Future<Output = R>) -> R {
    let mut test = pin!(test);
    let ended = poll_fn(|cx| {
        idle.begin(cx.waker());
        if idle.stuck().is_some() {
            return Poll::Ready(None);
        }
        test.as_mut().poll(cx).map(Some)
    });
    if let Some(result) = ended.await {
        return result;
    }
    let why = idle.stuck().unwrap_or_default();
    let roots = idle.roots();
    let before: Vec<_> = roots.iter().map(NodeRef::tree).collect();
    // Time went on to its end only because nothing else was left.
    let lost = before.iter().flat_map(Tree::iter).filter_map(|node| node.idle).min().unwrap_or_default();
    let asking = ask();
    roots.iter().flat_map(NodeRef::all).for_each(|node| node.wake());
    // The code of the test itself is polled by hand; what it comes to does not count any more.
    let mut ended_after_all = false;
    poll_fn(|cx| {
        ended_after_all = test.as_mut().poll(cx).is_ready();
        Poll::Ready(())
    })
    .await;
    let moments = idle.moments();
    poll_fn(|cx| idle.poll_moment(moments, cx)).await;
    let mut drawn = String::new();
    for (mut tree, root) in before.into_iter().zip(&roots) {
        tree.take_remarks(&mut root.tree());
        tree.rejuvenate(lost);
        let _ = write!(drawn, "{tree}");
    }
    drop(asking);
    let odd = if ended_after_all { " (polled once more it ended, so a wake-up was lost)" } else { "" };
    panic!("this test cannot go on: {why}{odd}\n{drawn}");
}

impl Tree {
    /// Says what `later`, the same tree, says of what is waited for.
    fn take_remarks(&mut self, later: &mut Tree) {
        let mut ahead = vec![(self, later)];
        while let Some((node, later)) = ahead.pop() {
            node.remarks = mem::take(&mut later.remarks);
            if node.children.len() == later.children.len() {
                ahead.extend(node.children.iter_mut().zip(&mut later.children));
            }
        }
    }

    /// Takes back the time in which nothing happened.
    fn rejuvenate(&mut self, lost: Duration) {
        let mut ahead = vec![self];
        while let Some(node) = ahead.pop() {
            node.age = node.age.saturating_sub(lost);
            node.idle = node.idle.map(|idle| idle.saturating_sub(lost));
            ahead.extend(&mut node.children);
        }
    }
}
