//! Several requests in flight, never more than a few.

use std::{collections::VecDeque, ops::ControlFlow, rc::Rc};

use tokio::task::{JoinSet, LocalSet};

/// Requests that wait for their answers at once.
const IN_FLIGHT: usize = 16;

/// Works through `items`. `seen` takes each answer as it comes; when it breaks, no other item is begun.
pub(super) async fn each<T, A>(
    items: impl IntoIterator<Item = T>,
    work: impl AsyncFn(T) -> A + 'static,
    mut seen: impl FnMut(A) -> ControlFlow<()>,
) where
    T: 'static,
    A: 'static,
{
    let (mut items, work) = (items.into_iter().collect::<VecDeque<_>>(), Rc::new(work));
    let run = async {
        let mut flying = JoinSet::new();
        loop {
            while flying.len() < IN_FLIGHT
                && let Some(item) = items.pop_front()
            {
                let work = Rc::clone(&work);
                flying.spawn_local(async move { work(item).await });
            }
            match flying.join_next().await {
                None => break,
                Some(Ok(answer)) => {
                    if seen(answer).is_break() {
                        items.clear();
                    }
                }
                // The program does not outlive a panic of a task that it waits for.
                Some(Err(ended)) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => break,
                },
            }
        }
    };
    LocalSet::new().run_until(run).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn all_are_worked_through_a_few_at_a_time() {
        let (flying, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (counted, highest) = (Rc::clone(&flying), Rc::clone(&most));
        let work = async move |item: u32| {
            counted.set(counted.get() + 1);
            highest.set(highest.get().max(counted.get()));
            tokio::task::yield_now().await;
            counted.set(counted.get() - 1);
            item
        };
        let mut seen = Vec::new();
        each(0..100, work, |item| {
            seen.push(item);
            ControlFlow::Continue(())
        })
        .await;
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        assert_eq!((flying.get(), most.get()), (0, IN_FLIGHT));
    }

    #[tokio::test]
    async fn nothing_is_begun_after_a_break() {
        let mut seen = 0;
        each(
            0..100,
            async |item: u32| item,
            |_| {
                seen += 1;
                ControlFlow::Break(())
            },
        )
        .await;
        assert_eq!(seen, IN_FLIGHT);
    }
}
