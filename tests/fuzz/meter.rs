//! What a piece of work costs its thread: CPU time, and the most memory that it held at once.
//!
//! Memory is what the work asked the allocator for beyond what was held when it began, at its
//! highest point: results included, the allocator's own rounding not. A block that grows counts
//! with its new size, not with both.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait, and so is asking a clock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what each thread holds.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static HIGHEST: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    // A thread that ends frees when its cells are gone: nobody measures there.
    let held = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        held.get()
    });
    if let Ok(held) = held {
        let _ = HIGHEST.try_with(|highest| highest.set(highest.get().max(held)));
    }
}

const fn signed(size: usize) -> isize {
    size.cast_signed()
}

// SAFETY: every call goes to the system's allocator as it came; counting touches two cells that
// need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        add(-signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(signed(size) - signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Cost of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) cpu_ns: u64,
    pub(crate) bytes: usize,
}

/// Does the work and tells what it took.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = HELD.get();
    HIGHEST.set(before);
    let start = cpu_ns();
    let result = work();
    let cpu_ns = cpu_ns().saturating_sub(start);
    let bytes = usize::try_from(HIGHEST.get() - before).unwrap_or(0);
    (result, Cost { cpu_ns, bytes })
}

/// CPU time of this thread since it began.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the struct that it is given and to nothing else.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the clock of this thread's CPU time");
    let whole = u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000;
    whole + u64::try_from(time.tv_nsec).unwrap_or(0)
}
