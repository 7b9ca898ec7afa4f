//! The HTTP server, on threads of its own, and the way down.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, rt, web};
use utoipa_actix_web::AppExt;

use super::error::{Code, Problem};
use super::{Health, Services, docs, middleware, routes};

/// How long a caller may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection may stand idle between requests.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// What the last answers get to leave the process once their handlers are done.
const FLUSH_TIME: Duration = Duration::from_millis(100);

/// A server that accepts connections.
pub struct Listening {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
    health: Arc<Health>,
}

/// Binds and starts to accept. `http.bind` with port 0 takes a free one.
///
/// # Errors
/// When the address cannot be bound or a thread cannot be started.
pub fn listen(services: Services) -> io::Result<Listening> {
    let health = Arc::clone(&services.health);
    let (started, starting) = mpsc::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        rt::System::new().block_on(async move {
            let server = match bind(services) {
                Ok((server, address)) => {
                    // The caller has gone only if it panicked: then nobody needs to know.
                    let _ = started.send(Ok((server.handle(), address)));
                    server
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                    return Ok(());
                }
            };
            server.await
        })
    })?;
    let (handle, address) = starting.recv().map_err(io::Error::other)??;
    Ok(Listening { address, handle, thread, health })
}

fn bind(services: Services) -> io::Result<(actix_web::dev::Server, SocketAddr)> {
    let http = services.settings.http.clone();
    let services = web::Data::new(services);
    let body_limit = http.body_limit_bytes;
    let mut server = HttpServer::new(move || {
        let (app, _) = App::new()
            .app_data(services.clone())
            .app_data(web::PayloadConfig::new(body_limit))
            .into_utoipa_app()
            .configure(routes)
            .split_for_parts();
        app.configure(docs::routes)
            .default_service(web::to(|| async { Err::<(), _>(Problem::new(Code::NotFound)) }))
            .wrap(from_fn(middleware::observe))
    })
    .disable_signals()
    .keep_alive(IDLE_TIME)
    .client_request_timeout(HEAD_TIME)
    .tcp_nodelay(true);
    if http.workers > 0 {
        server = server.workers(http.workers);
    }
    let server = server.bind(http.bind)?;
    let address = server.addrs().first().copied().unwrap_or(http.bind);
    Ok((server.run(), address))
}

impl Listening {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers `/readyz` with 503 from now on, and everything else as before.
    pub fn drain(&self) {
        self.health.drain();
    }

    /// Accepts nothing new, lets the requests in flight finish for as long as `patience`, and ends.
    ///
    /// # Errors
    /// When the server ended on an error of its own.
    pub fn stop(self, patience: Duration) -> io::Result<()> {
        self.drain();
        // Both commands are sent by the call itself; the future would only wait for the answer.
        drop(self.handle.pause());
        let deadline = Instant::now() + patience;
        while self.health.in_flight() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(FLUSH_TIME);
        let unfinished = self.health.in_flight();
        if unfinished > 0 {
            tracing::warn!(unfinished, "requests were cut off: they took longer than http.drain_seconds");
        }
        // Not gracefully: what is left are idle connections, which would be waited for.
        drop(self.handle.stop(false));
        self.thread.join().map_err(|_| io::Error::other("the HTTP server panicked"))?
    }
}
