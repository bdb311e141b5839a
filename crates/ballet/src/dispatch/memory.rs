//! The memory of cells: what was freed lately, kept by size for the next ones.
//!
//! A child is one short-lived allocation, and waves of them are what a general allocator is worst at: it costs more
//! than the rest of a child together. So each thread keeps two *magazines* of free cells for each size, and threads
//! exchange full ones in a *depot*, since a child often ends on another thread than the one that spawned it (Bonwick
//! and Adams, *Magazines and Vmem*, USENIX 2001). What is kept is bounded: two magazines for each thread and size,
//! and [`DEPOT_BYTES_MAX`] for each size. This file refuses to know what a cell is.
//!
//! Invariant, cited below: a block on a list came from the system's allocator with the layout of the list's size,
//! belongs to nobody else, and its first word is the link to the next.
#![expect(unsafe_code, reason = "memory is lent out and taken back by hand")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Sizes are rounded up to this, which is also the alignment of every block.
const GRAIN: usize = 16;
/// Larger cells go to the system's allocator each time.
const SIZE_MAX: usize = 1024;
const SIZES: usize = SIZE_MAX / GRAIN;
/// Blocks in a full magazine: a lock for so many children.
const MAGAZINE: usize = 64;
/// What the depot keeps of one size.
const DEPOT_BYTES_MAX: usize = 512 << 10;

/// A list of free blocks.
#[derive(Clone, Copy)]
struct Magazine {
    first: Option<NonNull<Link>>,
    count: usize,
}

/// What is written into a free block.
struct Link(Option<NonNull<Link>>);

impl Magazine {
    const EMPTY: Self = Self { first: None, count: 0 };

    #[inline]
    fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = self.first?;
        // SAFETY: By the invariant the block holds a link and is this list's alone.
        self.first = unsafe { block.read() }.0;
        self.count -= 1;
        Some(block.cast())
    }

    /// # Safety
    ///
    /// The block is as the invariant says, and the caller gives it away.
    #[inline]
    unsafe fn push(&mut self, block: NonNull<u8>) {
        let block = block.cast::<Link>();
        // SAFETY: The block is at least a `GRAIN` large and aligned to it, and the caller's to write.
        unsafe { block.write(Link(self.first)) };
        self.first = Some(block);
        self.count += 1;
    }

    /// Gives all blocks back to the system.
    fn empty(mut self, size: usize) {
        while let Some(block) = self.pop() {
            // SAFETY: By the invariant it was allocated with this layout.
            unsafe { dealloc(block.as_ptr(), block_layout(size)) };
        }
    }
}

// SAFETY: By the invariant its blocks are nobody else's; there is nothing in them.
unsafe impl Send for Magazine {}

/// What a thread keeps of one size. Two magazines, so that a thread that takes and gives one block in turn at the
/// edge of a magazine does not go to the depot each time.
struct Shelf {
    in_use: Cell<Magazine>,
    in_reserve: Cell<Magazine>,
}

/// The shelves of one thread.
struct Shelves([Shelf; SIZES]);

thread_local! {
    static SHELVES: Shelves = const {
        Shelves([const { Shelf { in_use: Cell::new(Magazine::EMPTY), in_reserve: Cell::new(Magazine::EMPTY) } }; SIZES])
    };
}

/// Full magazines that no thread has now, for each size.
static DEPOT: [Mutex<Vec<Magazine>>; SIZES] = [const { Mutex::new(Vec::new()) }; SIZES];

/// Memory for a cell of this layout.
#[inline]
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    let Some(size) = kept_size(layout) else { return from_system(layout) };
    // A thread that ends has no shelves any more.
    let kept = SHELVES.try_with(|shelves| shelves.0[size].take()).ok().flatten();
    kept.unwrap_or_else(|| fetch(size))
}

/// Takes memory back.
///
/// # Safety
///
/// It came from [`allocate`] with the same layout, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    let Some(size) = kept_size(layout) else {
        // SAFETY: `allocate` took it from the system with this layout.
        return unsafe { dealloc(memory.as_ptr(), layout) };
    };
    // SAFETY: Taken from the system with the layout of this size, now or when it was first lent out; the caller gives
    // it away.
    if SHELVES.try_with(|shelves| unsafe { shelves.0[size].give(size, memory) }).is_err() {
        // SAFETY: As above.
        unsafe { dealloc(memory.as_ptr(), block_layout(size)) };
    }
}

/// A block for a thread whose magazine in use is empty.
#[cold]
fn fetch(size: usize) -> NonNull<u8> {
    let refilled = SHELVES.try_with(|shelves| shelves.0[size].refill(size)).ok().flatten();
    refilled.unwrap_or_else(|| from_system(block_layout(size)))
}

impl Shelf {
    #[inline]
    fn take(&self) -> Option<NonNull<u8>> {
        let mut magazine = self.in_use.get();
        let block = magazine.pop();
        self.in_use.set(magazine);
        block
    }

    /// Replaces the empty magazine, and takes from the new one.
    fn refill(&self, size: usize) -> Option<NonNull<u8>> {
        let reserve = self.in_reserve.replace(Magazine::EMPTY);
        let magazine = if reserve.count > 0 { reserve } else { depot(size).pop()? };
        self.in_use.set(magazine);
        self.take()
    }

    /// # Safety
    ///
    /// As for [`Magazine::push`]; the block is of this size.
    #[inline]
    unsafe fn give(&self, size: usize, block: NonNull<u8>) {
        if self.in_use.get().count == MAGAZINE {
            self.put_aside(size);
        }
        let mut magazine = self.in_use.get();
        // SAFETY: The caller's promise.
        unsafe { magazine.push(block) };
        self.in_use.set(magazine);
    }

    /// Begins a new magazine.
    #[cold]
    fn put_aside(&self, size: usize) {
        let full = self.in_reserve.replace(self.in_use.replace(Magazine::EMPTY));
        if full.count > 0 {
            store(size, full);
        }
    }
}

impl Drop for Shelves {
    fn drop(&mut self) {
        for (size, shelf) in self.0.iter().enumerate() {
            shelf.in_use.replace(Magazine::EMPTY).empty(size);
            shelf.in_reserve.replace(Magazine::EMPTY).empty(size);
        }
    }
}

/// Puts a full magazine into the depot, or gives its blocks back to the system where the depot has enough.
fn store(size: usize, magazine: Magazine) {
    let magazines_max = DEPOT_BYTES_MAX / (MAGAZINE * block_layout(size).size());
    let mut depot = depot(size);
    if depot.len() < magazines_max {
        depot.push(magazine);
    } else {
        drop(depot);
        magazine.empty(size);
    }
}

fn depot(size: usize) -> std::sync::MutexGuard<'static, Vec<Magazine>> {
    DEPOT[size].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The index of the size that cells of this layout have, if such are kept.
///
/// None are where an instrument watches each allocation, and memory that is used again would look alive to it.
#[inline]
fn kept_size(layout: Layout) -> Option<usize> {
    let is_watched = cfg!(any(miri, ballet_loom, ballet_uncached));
    let fits = layout.size() <= SIZE_MAX && layout.size() > 0 && layout.align() <= GRAIN;
    (fits && !is_watched).then(|| layout.size().div_ceil(GRAIN) - 1)
}

/// The layout of a block of the size with this index.
const fn block_layout(size: usize) -> Layout {
    match Layout::from_size_align((size + 1) * GRAIN, GRAIN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

fn from_system(layout: Layout) -> NonNull<u8> {
    // SAFETY: No layout of a cell is empty: a cell begins with its header.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

#[cfg(all(test, not(ballet_loom)))]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    /// Lends out and takes back `count` blocks at a time, and writes each full.
    fn use_blocks(layout: Layout, count: usize) {
        let blocks: Vec<_> = (0..count).map(|_| allocate(layout)).collect();
        assert_eq!(blocks.iter().collect::<HashSet<_>>().len(), count, "one block was lent out twice");
        for (number, block) in blocks.iter().enumerate() {
            // SAFETY: The block is this test's and at least so large.
            unsafe { block.as_ptr().write_bytes(number as u8, layout.size()) };
        }
        for (number, block) in blocks.into_iter().enumerate() {
            // SAFETY: As above; it is given back once.
            unsafe {
                let bytes = std::slice::from_raw_parts(block.as_ptr(), layout.size());
                assert!(bytes.iter().all(|byte| *byte == number as u8), "two blocks share memory");
                free(block, layout);
            }
        }
    }

    #[test]
    fn blocks_of_every_size_are_lent_out_to_one_at_a_time() {
        for size in [1, 15, 16, 17, 129, 1024, 1025, 5000] {
            let layout = Layout::from_size_align(size, 8).expect("a layout");
            for count in [1, 3, MAGAZINE, 5 * MAGAZINE] {
                use_blocks(layout, count);
            }
        }
        use_blocks(Layout::from_size_align(128, 64).expect("a layout"), 10);
    }

    #[test]
    #[cfg_attr(any(miri, ballet_uncached), ignore = "nothing is used again under an instrument")]
    fn what_one_thread_frees_another_uses() {
        let layout = Layout::from_size_align(240, 8).expect("a layout");
        let blocks: Vec<_> = (0..10 * MAGAZINE).map(|_| allocate(layout).as_ptr() as usize).collect();
        let freed = blocks.clone();
        thread::spawn(move || {
            for block in freed {
                let block = NonNull::new(block as *mut u8).expect("it was allocated");
                // SAFETY: The other thread has given it away.
                unsafe { free(block, layout) };
            }
        })
        .join()
        .expect("no panic");
        let again: HashSet<_> = (0..5 * MAGAZINE).map(|_| allocate(layout).as_ptr() as usize).collect();
        assert!(blocks.iter().filter(|block| again.contains(block)).count() >= 4 * MAGAZINE);
        for block in again {
            let block = NonNull::new(block as *mut u8).expect("it was allocated");
            // SAFETY: It was allocated above with this layout, and nobody else has it.
            unsafe { free(block, layout) };
        }
    }
}
