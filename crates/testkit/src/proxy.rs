//! A TCP proxy that does to a connection what networks and broken servers do.

mod door;
mod fault;
mod link;
mod tally;

use std::io;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::mpsc;

use crate::server::port::Port;
use door::{Door, Order, Wish};
pub use fault::Fault;
use tally::Tally;

/// How long the proxy's own thread may take over a wish.
const DEADLINE: Duration = Duration::from_secs(10);

/// A proxy in front of one TCP server, which passes everything on until it is told to do it a [`Fault`].
///
/// It listens on a free port of 127.0.0.1, which stays its own while it refuses connections. It has a thread and a timer
/// of its own, so that it works beside every test, also one that has stopped tokio's time or its only thread. At most
/// 512 connections are open at a time (others wait to be accepted), each with at most a megabyte under way. When the
/// value is dropped, all connections are closed and the thread has ended.
///
/// A connection on which a fault lost or made up a byte is never mended, because TCP does not lose bytes: it is closed
/// when the fault is lifted, or as soon as it is replaced by another.
///
/// ```
/// # #[cfg(unix)] {
/// use larder_testkit::{Fault, FaultProxy, RedisServer};
///
/// let redis = RedisServer::start();
/// let proxy = FaultProxy::before(redis.addr());
/// let _url = redis.url_at(proxy.addr()); // for the client
///
/// proxy.set(Fault::Stall); // the client hears nothing
/// proxy.set(Fault::None); // what it waited for arrives
/// proxy.cut(); // its connection breaks
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    port: Port,
    tally: Arc<Tally>,
    // One order at a time. `None` only while the value is dropped.
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy in front of the server at `server`, which need not run yet.
    ///
    /// # Panics
    ///
    /// When the system gives no socket or no thread.
    #[must_use]
    pub fn before(server: SocketAddr) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|e| panic!("cannot start the runtime of a fault proxy: {e}"));
        let (port, listener) = {
            let _inside = runtime.enter();
            listen()
        };
        let addr = (Ipv4Addr::LOCALHOST, port.number()).into();
        let tally = Arc::new(Tally::default());
        let (orders, ordered) = mpsc::channel(1);
        let door = Door::new(listener, addr, server, Arc::clone(&tally));
        let thread = std::thread::Builder::new()
            .name("larder-fault-proxy".to_owned())
            .spawn(move || runtime.block_on(door.keep(ordered)))
            .unwrap_or_else(|e| panic!("cannot start the thread of a fault proxy: {e}"));
        Self {
            port,
            tally,
            orders: Mutex::new(Some(orders)),
            thread: Some(thread),
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// Does `fault` to all connections from now on, instead of what was done before. On return it is in force.
    ///
    /// # Panics
    ///
    /// When the proxy's thread does not answer in ten seconds.
    pub fn set(&self, fault: Fault) {
        self.order(Wish::Do(fault));
    }

    /// Closes all connections, on both sides. Clients may connect again at once, unless they are
    /// [refused](Fault::Refuse).
    ///
    /// # Panics
    ///
    /// When the proxy's thread does not answer in ten seconds.
    pub fn cut(&self) {
        self.order(Wish::Cut);
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.tally.open()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.tally.accepted()
    }

    /// How often a fault was done so far: a piece of data delayed, held, lost or made up, or a connection closed. Of use
    /// to show that a test did reach its fault.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.tally.faults()
    }

    fn order(&self, wish: Wish) {
        let (done, wait) = sync_channel(1);
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = orders
            .as_ref()
            .is_some_and(|orders| orders.try_send(Order { wish, done }).is_ok());
        let told = sent && wait.recv_timeout(DEADLINE).is_ok();
        drop(orders);
        assert!(
            told,
            "the thread of the fault proxy at {} does not answer: see its panic above",
            self.addr()
        );
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Without orders to come the thread ends, and its runtime with all connections.
        *self.orders.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.take() {
            // It ends in an error only after a panic, which has been printed.
            let _ = thread.join();
        }
    }
}

/// A port, and the socket that listens on it. Within a runtime.
fn listen() -> (Port, TcpListener) {
    loop {
        let port = Port::claim();
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        match listener {
            Ok(listener) => return (port, listener),
            // Something took it since it was claimed: the next.
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            Err(e) => panic!("cannot listen for a fault proxy: {e}"),
        }
    }
}
