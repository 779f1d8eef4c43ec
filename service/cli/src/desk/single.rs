//! One card, read once: `healthcard card read`.

use std::time::Duration;

use proto::v1::{CardChanges, CardDump, CardWritten, WholeCard};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    event,
    interruption::Interruption,
    metrics::Metrics,
    reader::{Abandoned, Reader},
    relay::{Outcome, Relay},
    sam::{SamOptions, SamReader},
    watch::{Sight, Watch},
};
use crate::{
    context::{self, Context},
    failure::Failure,
    show,
    text::{self, problems},
};

/// How long readers are waited for: those of a PC/SC service that has just started come one by one.
const READERS_PATIENCE: Duration = Duration::from_secs(1);

/// Waits for one card and answers with its reading.
pub(crate) async fn read_one(
    context: &Context,
    reader: Option<String>,
    sam: &SamOptions,
    patience: Duration,
) -> context::Outcome {
    let read = async |relay: &mut Relay, reader: &mut Reader, sam: Option<&SamReader>, atr| {
        Ok(relay.read(reader, sam, atr).await?.outcome)
    };
    match alone(one(context, reader, sam, patience, read).await?)? {
        Outcome::Reading(reading) => {
            context.answer("CardReading", &*reading, &show::reading(&reading))
        }
        Outcome::Refused(refused) => Err(event::failure(&refused)),
    }
}

/// Waits for one card and has more of it read than who holds it.
pub(crate) async fn dump_one(
    context: &Context,
    reader: Option<String>,
    sam: &SamOptions,
    patience: Duration,
    order: WholeCard,
) -> Result<CardDump, Failure> {
    let dump = async |relay: &mut Relay, reader: &mut Reader, sam: Option<&SamReader>, atr| {
        relay.dump(reader, sam, atr, order.clone()).await
    };
    alone(one(context, reader, sam, patience, dump).await?)?
        .map_err(|refused| event::failure(&refused.failure))
}

/// Waits for one card and has changes written on it.
pub(crate) async fn write_one(
    context: &Context,
    reader: Option<String>,
    sam: &SamOptions,
    patience: Duration,
    changes: CardChanges,
) -> Result<CardWritten, Failure> {
    let write = async |relay: &mut Relay, reader: &mut Reader, sam: Option<&SamReader>, atr| {
        relay.write(reader, sam, atr, changes.clone()).await
    };
    // A card that is put in meanwhile changes nothing about the one that was written.
    let (written, _) = one(context, reader, sam, patience, write).await?;
    written.map_err(|refused| event::failure(&refused.failure))
}

/// What was read of a card, when no other came meanwhile: nobody is there to be asked which one is
/// meant.
fn alone<T>((read, another): (T, bool)) -> Result<T, Failure> {
    match another {
        true => Err(problems::CARDS_TWO.into()),
        false => Ok(read),
    }
}

/// Waits for one card and has something done with it; what came of it, and whether another card was
/// put in meanwhile. With two cards there it refuses.
async fn one<T>(
    context: &Context,
    reader: Option<String>,
    sam: &SamOptions,
    patience: Duration,
    act: impl AsyncFnOnce(&mut Relay, &mut Reader, Option<&SamReader>, Vec<u8>) -> Result<T, Failure>,
) -> Result<(T, bool), Failure> {
    let screen = context.screen;
    let mut relay = Relay::open(&context.service).await?;
    let sam = SamReader::open(sam, screen).await?;
    let mut watch = Watch::start(reader, sam.as_ref().map(|sam| sam.name().to_owned()));
    let mut interrupted = Interruption::new()?;
    let card = tokio::select! {
        card = timeout(patience, first_card(&mut watch, || screen.hint(text::DESK_READY))) => card,
        () = interrupted.came() => return Err(problems::INTERRUPTED.into()),
    };
    let (name, atr) = card.map_err(|_| Failure::of(problems::CARD_TIMEOUT))??;
    // Before anything is done to the card: what was written to the wrong one cannot be taken back.
    if watch.has_another_card(&name).await? {
        return Err(problems::CARDS_TWO.into());
    }
    let mut reader = Reader::new(&name, Abandoned::default(), Metrics::new());
    let done = act(&mut relay, &mut reader, sam.as_ref(), atr).await?;
    watch.stop();
    Ok((done, watch.saw_another_card(&name)))
}

/// The first card; `ready` is called once there is a reader to put it into.
pub(super) async fn first_card(
    watch: &mut Watch,
    ready: impl FnOnce(),
) -> Result<(String, Vec<u8>), Failure> {
    let mut ready = Some(ready);
    let mut missing_until = None;
    loop {
        let sight = match missing_until {
            None => watch.next().await,
            Some(until) => timeout_at(until, watch.next()).await.unwrap_or_default(),
        };
        let Some((_, sight)) = sight else { break };
        match sight {
            Sight::Card { reader, atr } => return Ok((reader, atr)),
            Sight::Unreadable { .. } => return Err(problems::CARD_UNREADABLE.into()),
            Sight::ServiceLost => return Err(problems::READER_SERVICE_UNAVAILABLE.into()),
            Sight::Readers(readers) if readers.is_empty() => {
                missing_until.get_or_insert_with(|| Instant::now() + READERS_PATIENCE);
            }
            Sight::Readers(_) => {
                missing_until = None;
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
            Sight::Removed { .. } | Sight::SamIn | Sight::SamOut => {}
        }
    }
    let missing = missing_until.map_or(problems::INTERRUPTED, |_| problems::READER_MISSING);
    Err(missing.into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn one_is_asked_for_the_card_once_there_is_a_reader() {
        let reader = || "Desk 1".to_owned();
        let readers =
            |names: &[&str]| Sight::Readers(names.iter().map(|name| (*name).to_owned()).collect());
        let card = || Sight::Card { reader: reader(), atr: vec![0x3b] };
        let cases = [
            (vec![readers(&["Desk 1"]), card()], Ok(()), 1),
            (vec![readers(&["Desk 1"]), readers(&["Desk 1", "Desk 2"]), card()], Ok(()), 1),
            (vec![readers(&[])], Err("READER_MISSING"), 0),
            (vec![readers(&[]), readers(&["Desk 1"]), card()], Ok(()), 1),
            (vec![Sight::ServiceLost], Err("READER_SERVICE_UNAVAILABLE"), 0),
            (
                vec![readers(&["Desk 1"]), Sight::Unreadable { reader: reader() }],
                Err("CARD_UNREADABLE"),
                1,
            ),
        ];
        for (sights, expected, asked) in cases {
            let told = format!("{sights:?}");
            let (mut watch, count) = (Watch::of(sights), Cell::new(0));
            let found = first_card(&mut watch, || count.set(count.get() + 1)).await;
            let found = found.map(drop).map_err(|failure| failure.reason.clone());
            assert_eq!(found, expected.map_err(str::to_owned), "{told}");
            assert_eq!(count.get(), asked, "{told}");
        }
    }
}
