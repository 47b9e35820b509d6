//! The addresses of this machine's network interfaces.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// Every address of every interface, in the system's order. Link-local IPv6 addresses are left out: they mean nothing
/// without the interface they belong to.
///
/// # Errors
/// What the system says.
pub fn local() -> io::Result<Vec<IpAddr>> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `first` is a valid place for the answer.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut entry = first;
    // SAFETY: the list is the one getifaddrs made; it ends with a null pointer and is not freed before the loop is over.
    while let Some(interface) = unsafe { entry.as_ref() } {
        // SAFETY: an entry's address is null or points to a socket address of its family.
        found.extend(unsafe { address(interface.ifa_addr) });
        entry = interface.ifa_next;
    }
    // SAFETY: freed once, and nothing points into it any more.
    unsafe { libc::freeifaddrs(first) };
    found.retain(|address| !matches!(address, IpAddr::V6(six) if six.is_unicast_link_local()));
    Ok(found)
}

/// The IP address in a socket address, if it is of a family that has one.
///
/// # Safety
/// `address` is null or points to a socket address as large as its family says.
unsafe fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's word.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the family says that it is one of these; it may lie unaligned.
            let four = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(four.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let six = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(six.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn what_is_found_can_be_bound() {
        let found = local().unwrap();
        assert!(found.contains(&Ipv4Addr::LOCALHOST.into()), "{found:?}");
        for address in found {
            assert!(UdpSocket::bind((address, 0)).is_ok(), "{address}");
        }
    }
}
