//! A connection that listens for hints from other processes.

use std::future::poll_fn;
use std::pin::pin;

use futures_util::FutureExt as _;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Config, Error, Socket};

const LISTEN: &str = "LISTEN paytend_inbox";

/// Listens until the connection ends. Calls a function for each hint with its sender. Also calls the function once when
/// the connection starts to listen, because earlier hints may have been missed.
pub(crate) async fn listen_on<T>(config: &Config, tls: T, mut hint: impl FnMut(Option<&str>)) -> Result<(), Error>
where
    T: MakeTlsConnect<Socket>,
{
    let (client, mut connection) = config.connect(tls).await?;
    let mut listening = pin!(client.batch_execute(LISTEN).fuse());
    let mut listens = false;
    loop {
        tokio::select! {
            started = &mut listening, if !listens => {
                started?;
                listens = true;
                hint(None);
            }
            message = poll_fn(|context| connection.poll_message(context)) => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => hint(Some(notification.payload())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}
