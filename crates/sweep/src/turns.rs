//! Backtests that are asked for at once, one after another.
//!
//! A thread of rayon that waits for its share of one backtest takes up whatever else there is to do,
//! another backtest too, and goes on only when that is done. So the first of many would end after
//! those that came behind it, and one of them much later than the rest. Here who comes first is
//! served first, few at a time, and who needs long goes to the end of the queue after every slice.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The queue for the threads of rayon.
static THREADS: Turns = Turns::new();

#[derive(Debug)]
struct Turns {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Debug, Clone, Copy)]
struct Queue {
    /// Turns that were asked for, and those of them that are over.
    drawn: u64,
    over: u64,
}

impl Turns {
    const fn new() -> Self {
        let queue = Queue { drawn: 0, over: 0 };
        Self {
            queue: Mutex::new(queue),
            moved: Condvar::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is one of so many whose turn it is.
    fn wait(&self, at_once: u64) {
        let mut queue = self.queue();
        let own = queue.drawn;
        queue.drawn += 1;
        while own >= queue.over + at_once {
            queue = (self.moved.wait(queue)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self) {
        self.queue().over += 1;
        self.moved.notify_all();
    }

    /// Whether somebody waits.
    fn is_awaited(&self, at_once: u64) -> bool {
        let queue = self.queue();
        queue.drawn > queue.over + at_once
    }
}

/// The turn of a backtest, which ends when it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: &'static Turns,
    at_once: u64,
}

impl Turn {
    /// Waits for it. `None` on a thread of rayon, which must not wait for what others do there.
    pub fn take() -> Option<Self> {
        // As many as there are threads: much of a backtest keeps one of them busy alone.
        let at_once = rayon::current_num_threads() as u64;
        (rayon::current_thread_index().is_none()).then(|| Self::of(&THREADS, at_once))
    }

    fn of(turns: &'static Turns, at_once: u64) -> Self {
        turns.wait(at_once);
        Self { turns, at_once }
    }

    /// Lets those go first who wait.
    pub fn pass(&self) {
        if self.turns.is_awaited(self.at_once) {
            self.turns.end();
            self.turns.wait(self.at_once);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    fn turns() -> &'static Turns {
        Box::leak(Box::new(Turns::new()))
    }

    fn wait_for(turns: &Turns, drawn: u64) {
        while turns.queue().drawn < drawn {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn who_comes_first_is_first_and_who_needs_long_lets_them_all_by() {
        let turns = turns();
        let long = Turn::of(turns, 1);
        let (said, heard) = mpsc::channel();
        thread::scope(|scope| {
            for place in 0..5_u64 {
                let said = said.clone();
                scope.spawn(move || {
                    let _turn = Turn::of(turns, 1);
                    said.send(place).unwrap();
                });
                wait_for(turns, place + 2);
            }
            assert!(heard.try_recv().is_err());
            long.pass();
            let first: Vec<u64> = heard.try_iter().collect();
            assert_eq!(first, [0, 1, 2, 3, 4]);
            // Nobody is left to wait for.
            long.pass();
        });
    }

    #[test]
    fn as_many_at_once_as_there_are_places() {
        let turns = turns();
        let (first, second) = (Turn::of(turns, 2), Turn::of(turns, 2));
        assert!(!turns.is_awaited(2));
        thread::scope(|scope| {
            let third = scope.spawn(|| Turn::of(turns, 2));
            wait_for(turns, 3);
            assert!(turns.is_awaited(2));
            drop(second);
            drop(third.join().unwrap());
        });
        first.pass();
        drop(first);
        let queue = *turns.queue();
        assert_eq!((queue.drawn, queue.over), (3, 3));
    }

    #[test]
    fn a_thread_of_rayon_does_not_wait() {
        let of_rayon = rayon::scope(|_| Turn::take().is_none());
        assert!(of_rayon);
    }
}
