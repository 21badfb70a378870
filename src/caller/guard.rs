//! What a statement does costs that statement only: a panic becomes its error, deep recursion gets the
//! stack that it needs, and what is asked to stop can know it wherever it is.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

use super::give_way::Stop;
use crate::error::{Error, Result};

/// How much stack what walks a statement may need, with all bounds reached.
const STACK: usize = 64 << 20;
/// With less left than this, it runs on a stack of its own.
const STACK_LEFT: usize = 24 << 20;

thread_local! {
    /// What stops the statement that this thread works for.
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Whether what this thread works for is to stop.
pub fn is_stopped() -> bool {
    CURRENT.with_borrow(|stop| stop.as_ref().is_some_and(Stop::is_stopped))
}

/// Does a piece of work.
pub fn call<T>(stop: &Stop, work: impl FnOnce() -> Result<T>) -> Result<T> {
    /// Whom the thread works for is the same again afterwards, also after a panic.
    struct Before(Option<Stop>);
    impl Drop for Before {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let before = Before(CURRENT.replace(Some(stop.clone())));
    let done = stacker::maybe_grow(STACK_LEFT, STACK, || catch_unwind(AssertUnwindSafe(work)));
    drop(before);
    done.unwrap_or_else(|panic| Err(crashed(&*panic)))
}

/// Does work that waits now and then.
pub fn run<T>(stop: Stop, work: BoxFuture<'_, Result<T>>) -> Guarded<'_, T> {
    Guarded { work, stop }
}

/// Work that waits now and then.
pub struct Guarded<'a, T> {
    work: BoxFuture<'a, Result<T>>,
    stop: Stop,
}

impl<T> Future for Guarded<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let Self { work, stop } = &mut *self;
        match call(stop, || Ok(work.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// The error of what panicked.
fn crashed(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or_default().lines().next().unwrap_or_default();
    // Arithmetic on whole numbers is checked, and says so.
    if text.starts_with("attempt to") && text.ends_with("overflow") {
        return Error::session("22003", format!("value out of range: {text}"));
    }
    // Texts of one batch that are longer together than what a batch can hold.
    if text == "offset overflow" {
        let message = "the texts of some thousand rows are longer than 2 GiB together";
        return Error::session("53200", message);
    }
    let text: String = text.chars().take(200).collect();
    let message = format!("the statement crashed, others go on: {text}");
    Error::session("XX000", message)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_recursion_has_room() {
        fn depth(left: u32) -> u64 {
            let room = std::hint::black_box([u64::from(left); 64]);
            match left {
                0 => 0,
                left => depth(left - 1) + room[1] - room[2] + 1,
            }
        }
        let stop = Stop::default();
        let state = |error: Error| error.sqlstate();
        let panics = call::<()>(&stop, || panic!("of {}", 1)).unwrap_err();
        assert_eq!(state(panics), "XX000");
        let most = std::hint::black_box(i64::MIN);
        let overflow = call(&stop, || Ok(-most)).unwrap_err();
        assert_eq!(state(overflow), "22003");
        assert!(!is_stopped());
        assert_eq!(call(&stop, || Ok(depth(20_000))).unwrap(), 20_000);
        stop.stop();
        assert!(call(&stop, || Ok(is_stopped())).unwrap());
    }
}
