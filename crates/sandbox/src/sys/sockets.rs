//! Descriptor passing, and sockets of families that std does not know.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// Most descriptors in one message.
const MOST_FDS: usize = 4;

#[repr(C, align(8))]
struct Control([u8; 64]);

/// A connected pair of stream sockets, both closed on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: the array has room for the two descriptors, which nobody else owns.
    unsafe {
        check(libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        ))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// Sends bytes with up to four descriptors attached to the first; returns how many bytes went.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if fds.len() > MOST_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut control = Control([0; 64]);
    let payload = size_of_val(fds);
    // SAFETY: `control` is aligned for `cmsghdr` and CMSG_SPACE(4 * 4) is 32, within its 64 bytes; the header
    // that CMSG_FIRSTHDR returns points into it. The iovec points to `bytes`, which sendmsg only reads.
    unsafe {
        let mut iov = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        if !fds.is_empty() {
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(payload as u32) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(payload as u32) as _;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for (i, fd) in fds.iter().enumerate() {
                data.add(i).write_unaligned(fd.as_raw_fd());
            }
        }
        let sent = libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL);
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(sent as usize)
        }
    }
}

/// Receives at most `buffer.len()` bytes and the descriptors that came with them.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = Control([0; 64]);
    let mut fds = Vec::new();
    // SAFETY: iovec and control buffer are writable for the given lengths and outlive the call. Only headers
    // that CMSG_FIRSTHDR/NXTHDR found inside the received length are read; each descriptor is new to
    // this process and is wrapped once.
    unsafe {
        let mut iov = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        let got = libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC);
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let count =
                    ((*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>();
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for i in 0..count {
                    fds.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
        Ok((got as usize, fds))
    }
}

/// Process id of the other end of a unix socket, as seen from here.
pub fn peer_pid(socket: BorrowedFd<'_>) -> io::Result<i32> {
    let mut cred = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `cred` is writable for `length` bytes.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &raw mut length,
        )
    })?;
    Ok(cred.pid)
}

/// A new socket, closed on exec.
pub fn socket(
    family: libc::c_int,
    kind: libc::c_int,
    protocol: libc::c_int,
) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is new and wrapped once.
    unsafe {
        Ok(OwnedFd::from_raw_fd(check(libc::socket(
            family,
            kind | libc::SOCK_CLOEXEC,
            protocol,
        ))?))
    }
}

/// A non-blocking TCP socket whose connection to `to` has been begun.
pub fn begin_connect(to: SocketAddr) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let socket = socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    let (address, length) = encode(to);
    // SAFETY: `address` is a live sockaddr_storage and `length` at most its size.
    let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINPROGRESS) {
            return Err(error);
        }
    }
    Ok(socket)
}

/// The destination that a redirected TCP connection originally had (`SO_ORIGINAL_DST`).
pub fn original_destination(socket: BorrowedFd<'_>, v6: bool) -> io::Result<SocketAddr> {
    const IP6T_SO_ORIGINAL_DST: libc::c_int = 80;
    let (level, option) = if v6 {
        (libc::SOL_IPV6, IP6T_SO_ORIGINAL_DST)
    } else {
        (libc::SOL_IP, libc::SO_ORIGINAL_DST)
    };
    // SAFETY: a zeroed sockaddr_storage is valid; it is writable for `length` bytes.
    unsafe {
        let mut address: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        check(libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut address).cast(),
            &raw mut length,
        ))?;
        decode(&address)
    }
}

fn encode(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: sockaddr_storage is larger than, and aligned for, both address types written into it.
    unsafe {
        let mut storage: libc::sockaddr_storage = std::mem::zeroed();
        let length = match address {
            SocketAddr::V4(v4) => {
                let inner = &mut *(&raw mut storage).cast::<libc::sockaddr_in>();
                inner.sin_family = libc::AF_INET as u16;
                inner.sin_port = v4.port().to_be();
                inner.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let inner = &mut *(&raw mut storage).cast::<libc::sockaddr_in6>();
                inner.sin6_family = libc::AF_INET6 as u16;
                inner.sin6_port = v6.port().to_be();
                inner.sin6_addr.s6_addr = v6.ip().octets();
                size_of::<libc::sockaddr_in6>()
            }
        };
        (storage, length as libc::socklen_t)
    }
}

fn decode(storage: &libc::sockaddr_storage) -> io::Result<SocketAddr> {
    // SAFETY: the family says which of the two smaller, equally aligned types the kernel wrote.
    unsafe {
        match libc::c_int::from(storage.ss_family) {
            libc::AF_INET => {
                let inner = &*(&raw const *storage).cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(inner.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddr::V4(SocketAddrV4::new(
                    ip,
                    u16::from_be(inner.sin_port),
                )))
            }
            libc::AF_INET6 => {
                let inner = &*(&raw const *storage).cast::<libc::sockaddr_in6>();
                let ip = Ipv6Addr::from(inner.sin6_addr.s6_addr);
                Ok(SocketAddr::V6(SocketAddrV6::new(
                    ip,
                    u16::from_be(inner.sin6_port),
                    0,
                    0,
                )))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Takes standard input, which must be a socket, out of its place.
pub fn take_standard_input() -> io::Result<OwnedFd> {
    // SAFETY: fstat writes one structure; the copy is a new descriptor, wrapped once. Number 0 is owned
    // by nobody, and becomes `/dev/null`.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        check(libc::fstat(0, &raw mut stat))?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFSOCK {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let socket = OwnedFd::from_raw_fd(check(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3))?);
        check(libc::close(0))?;
        let null = check(libc::open(
            c"/dev/null".as_ptr(),
            libc::O_RDWR | libc::O_CLOEXEC,
        ))?;
        if null != 0 {
            check(libc::close(null))?;
        }
        Ok(socket)
    }
}

/// Turns the loopback interface on.
pub fn loopback_up() -> io::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: `ifreq` is plain data, zero is valid, the name is shorter than its field, and both calls
    // read or write only this structure.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (slot, byte) in request.ifr_name.iter_mut().zip(b"lo") {
            *slot = *byte as libc::c_char;
        }
        check(libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCGIFFLAGS as _,
            &raw mut request,
        ))?;
        request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw mut request,
        ))?;
    }
    Ok(())
}

/// Sends one netlink request and reads acknowledgements until `answers` of them came; the first error
/// among them is returned.
pub fn netlink(protocol: libc::c_int, request: &[u8], answers: usize) -> io::Result<()> {
    let socket = socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
    let mut sent = send_plain(&socket, request)?;
    while sent < request.len() {
        sent += send_plain(&socket, &request[sent..])?;
    }
    let mut seen = 0;
    let mut buffer = [0_u8; 8192];
    while seen < answers {
        // SAFETY: the buffer is writable for its length.
        let got = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut rest = &buffer[..got as usize];
        while rest.len() >= 16 {
            let word = |at: usize| {
                rest.get(at..at + 4)
                    .and_then(|b| b.try_into().ok())
                    .map_or(0, u32::from_ne_bytes)
            };
            let length = (word(0) as usize).clamp(16, rest.len());
            let kind = word(4) & 0xffff;
            if kind == libc::NLMSG_ERROR as u32 {
                let error = word(16).cast_signed();
                if error != 0 {
                    return Err(io::Error::from_raw_os_error(-error));
                }
                seen += 1;
            }
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
    }
    Ok(())
}

fn send_plain(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are readable for their length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(sent as usize)
    }
}

/// Whether an address belongs to the machine's own loopback range.
pub fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
    }
}
