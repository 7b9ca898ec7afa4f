//! Which of many connections can go on.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Edge-triggered epoll: a connection is told once that it can go on, and then goes as far as it can.
pub(super) struct Poll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub(super) fn new() -> anyhow::Result<Self> {
        // SAFETY: makes a descriptor, which nobody else owns.
        let fd = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            anyhow::ensure!(fd >= 0, "epoll: {}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; 256] })
    }

    pub(super) fn add(&self, stream: &TcpStream, i: usize) -> anyhow::Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET).cast_unsigned();
        let mut event = libc::epoll_event { events, u64: i as u64 };
        // SAFETY: both descriptors are open, and the event is only read.
        let added =
            unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) };
        anyhow::ensure!(added == 0, "epoll: {}", std::io::Error::last_os_error());
        Ok(())
    }

    /// The connections that can go on.
    pub(super) fn wait(&mut self, patience: Duration) -> anyhow::Result<Vec<usize>> {
        let millis = i32::try_from(patience.as_millis())?;
        let room = i32::try_from(self.events.len())?;
        // SAFETY: the kernel writes no more events than there is room for.
        let ready = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, millis) };
        let Ok(ready) = usize::try_from(ready) else {
            let error = std::io::Error::last_os_error();
            anyhow::ensure!(error.kind() == ErrorKind::Interrupted, "epoll: {error}");
            return Ok(Vec::new());
        };
        self.events[..ready].iter().map(|event| Ok(usize::try_from(event.u64)?)).collect()
    }
}
