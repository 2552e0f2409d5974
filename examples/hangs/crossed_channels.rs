//! Two stages of a game send each other their moves over channels of one place each. Both send two moves before
//! they look at the other's, so that both channels are full and nobody takes anything out.

use std::io;

use async_channel::{bounded, Receiver, Sender};
use async_io::block_on;
use futures_lite::future::{yield_now, zip};

use crate::story::{executor, Last};

static BOTH: Last = Last::of(2);

async fn play(moves: Sender<u32>, other: Receiver<u32>) {
    for round in 0.. {
        moves.send(round).await.expect("the other plays");
        yield_now().await;
        if round == 0 {
            BOTH.comes();
        }
        moves.send(round).await.expect("the other plays"); // hangs here
        while other.try_recv().is_ok() {}
    }
}

pub fn run() -> io::Result<()> {
    let (white, black_sees) = bounded(1);
    let (black, white_sees) = bounded(1);
    let executor = executor();
    let players = zip(
        executor.spawn(play(white, white_sees)),
        executor.spawn(play(black, black_sees)),
    );
    block_on(executor.run(players));
    Ok(())
}
