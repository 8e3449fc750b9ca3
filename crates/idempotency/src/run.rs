//! The run of an operation: in a task that outlives the client, renews the claim, and writes down how it ended.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tower_service::Service;
use tracing::Instrument;

use crate::body::Body;
use crate::claiming::{Begun, Held};
use crate::error::RecordsError;
use crate::keep::{self, Ending};
use crate::metrics;
use crate::problem::Problem;
use crate::records::{Finish, Hold, Release, Renewal};

/// How long the end of an operation is tried to be written down.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the client is told.
enum Told<B: http_body::Body, E> {
    Response(Response<Body<B>>),
    Error(E),
    Panic(Box<dyn Any + Send>),
    Stopped,
}

/// Runs the operation. Whoever waits for it may leave: it runs on.
pub(crate) async fn run<S, ReqB, ResB>(
    held: Held,
    service: S,
    request: Request<ReqB>,
) -> Result<Response<Body<ResB>>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: Send + 'static,
    ResB: http_body::Body + Send + 'static,
    ResB::Error: Send,
{
    let (tell, told) = oneshot::channel();
    let tasks = Arc::clone(&held.shared().tasks);
    drop(tasks.spawn(see_through(held, service, request, tell).in_current_span()));
    match told.await {
        Ok(Told::Response(response)) => Ok(response),
        Ok(Told::Error(error)) => Err(error),
        // As if the handler had run here.
        Ok(Told::Panic(panic)) => std::panic::resume_unwind(panic),
        // The task is gone without a word only when the runtime ends.
        Ok(Told::Stopped) | Err(_) => Ok(Problem::Stopped.response()),
    }
}

async fn see_through<S, ReqB, ResB>(
    held: Held,
    mut service: S,
    request: Request<ReqB>,
    tell: oneshot::Sender<Told<ResB, S::Error>>,
) where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: Send + 'static,
    ResB: http_body::Body + Send + 'static,
    ResB::Error: Send,
{
    let Some(run) = held.begin() else { return };
    let _running = metrics::Running::begin();
    let policy = Arc::clone(&run.shared.policy);
    let limit = policy.max_run;
    // In a task of its own: a handler that blocks its thread does not keep the claim from being renewed.
    let mut handler = Aborting(tokio::spawn(
        async move {
            let response = service.call(request).await?;
            Ok(keep::judge(response, &policy).await)
        }
        .in_current_span(),
    ));
    let ended = tokio::select! {
        ended = &mut handler.0 => Some(ended),
        never = renew(&run) => match never {},
        () = sleep(limit) => None,
        () = run.shared.tasks.stopped() => None,
    };
    let (told, ending) = match ended {
        Some(Ok(Ok((response, ending)))) => (Told::Response(response), ending),
        Some(Ok(Err(error))) => (Told::Error(error), Ending::Lost("error")),
        Some(Err(error)) => match error.try_into_panic() {
            Ok(panic) => (Told::Panic(panic), Ending::Lost("panic")),
            Err(_) => (Told::Stopped, Ending::Stopped),
        },
        None => (Told::Stopped, Ending::Stopped),
    };
    drop(handler);
    // Before the client is told: its next retry finds the result.
    let written = write_down(&run, &ending).await;
    // Nobody may be there to be told.
    let _ = tell.send(told);
    if written.is_err() {
        insist(&run, &ending).await;
    }
}

/// Renews the claim until it is gone, and then never ends.
async fn renew(run: &Begun) -> Infallible {
    let Begun { shared, claim, .. } = run;
    let mut ticks = interval(claim.lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once, when the claim is new.
    ticks.tick().await;
    let renewal = Renewal::of(claim, claim.lease);
    loop {
        ticks.tick().await;
        let renewed = shared.ask(shared.records.renew(&renewal)).await;
        if matches!(renewed, Ok(Hold::Gone)) {
            metrics::lost("gone");
            tracing::warn!(
                "the claim of a running operation is gone: it was taken over, or the records were emptied"
            );
            std::future::pending::<()>().await;
        }
    }
}

/// Tells the records how the operation ended.
async fn write_down(run: &Begun, ending: &Ending) -> Result<(), RecordsError> {
    let Begun { shared, claim, .. } = run;
    let hold = match ending {
        Ending::Kept(result) => {
            shared
                .ask(shared.records.finish(&Finish::of(claim, result.clone())))
                .await?
        }
        Ending::NotBegun => {
            shared
                .ask(shared.records.release(&Release::of(claim, false)))
                .await?
        }
        Ending::Lost(cause) => {
            metrics::lost(cause);
            tracing::warn!(
                cause,
                "it is not known how far an operation with an idempotency key came"
            );
            if cfg!(larder_mutant = "idempotency_lost_is_free") {
                let _ = shared
                    .ask(shared.records.release(&Release::of(claim, false)))
                    .await;
            }
            let at_once = Renewal::of(claim, Duration::ZERO);
            // If it fails, the lease ends by itself.
            let _ = shared.ask(shared.records.renew(&at_once)).await;
            return Ok(());
        }
        Ending::Stopped => {
            // What was dropped may not have stopped yet: the lease ends by itself.
            metrics::lost("stopped");
            tracing::warn!("an operation with an idempotency key was stopped");
            return Ok(());
        }
    };
    if hold == Hold::Gone {
        tracing::warn!("the end of an operation is not written down: its claim is gone");
    }
    Ok(())
}

/// The same, again and again.
async fn insist(run: &Begun, ending: &Ending) {
    let Begun { shared, claim, .. } = run;
    let written = match ending {
        Ending::Kept(result) => {
            let finish = Finish::of(claim, result.clone());
            shared.insist(PATIENCE, || shared.records.finish(&finish)).await
        }
        Ending::NotBegun => {
            let release = Release::of(claim, false);
            shared.insist(PATIENCE, || shared.records.release(&release)).await
        }
        Ending::Lost(_) | Ending::Stopped => return,
    };
    if written.is_none() {
        metrics::lost("unwritten");
        tracing::error!("the end of an operation could not be written down: retries count it as lost");
    }
}

/// A task that ends with its owner.
struct Aborting<T>(JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
