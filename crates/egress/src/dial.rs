//! Reaching a host: its name is resolved after the decision, every address is looked at, and
//! only what was looked at is dialled. Must not know what is going to be said.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};

use crate::address::{AddressClass, class, unmasked, unspecified_like};
use crate::names::{NameProblem, Names};

/// Addresses of one name that are tried.
const TRIED_MAX: usize = 4;

/// Why a host was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialProblem {
    /// Its name has no address.
    #[error("{0}")]
    Name(#[from] NameProblem),
    /// It lies at an address that nobody may reach.
    #[error("the host lies at an address of the class `{class}`", class = .1.as_str())]
    Class(IpAddr, AddressClass),
    /// Nobody takes the connection there.
    #[error("the host does not take connections there")]
    Refused(IpAddr),
    /// What it answered was no answer.
    #[error("the host broke off, or its answer cannot be read without doubt")]
    Answer,
    /// It took too long.
    #[error("the host did not answer in time")]
    TimedOut(IpAddr),
}

/// Addresses that may be dialled, every one looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// Those that are not public and may be reached only by a grant that names their range.
    pub(crate) private: Vec<IpAddr>,
}

/// Looks at every address of a name. One that nobody may reach spoils all of them: an answer
/// that mixes those with others is no honest one.
///
/// # Errors
/// When one of them may be reached by nobody.
pub(crate) fn check(addresses: &[IpAddr]) -> Result<Checked, DialProblem> {
    let mut private = Vec::new();
    for address in addresses {
        match class(*address) {
            AddressClass::Public => {}
            // A private address in the clothes of another is none that a range could name.
            found if found.reachable_by_grant() && unmasked(*address) == *address => private.push(*address),
            found => return Err(DialProblem::Class(*address, found)),
        }
    }
    Ok(Checked { addresses: addresses.to_vec(), private })
}

/// Resolves and looks.
///
/// # Errors
/// When there is no address, or one that nobody may reach.
pub(crate) async fn find(names: &Names, host: &str) -> Result<Checked, DialProblem> {
    check(&names.addresses(host).await?)
}

/// Whether the address is one of this machine: then somebody could listen there. Where everybody
/// may listen on addresses of others, it is asked whether the kernel would send from it to
/// itself. Nothing is sent for this.
pub(crate) async fn is_own(address: IpAddr) -> bool {
    if UdpSocket::bind((address, 0)).await.is_ok() && !listens_for_others().await {
        return true;
    }
    // Who cannot look does not go there.
    let Ok(socket) = UdpSocket::bind((unspecified_like(address), 0)).await else { return true };
    // Where there is no way to it, it is not here.
    let there = socket.connect((address, 9)).await;
    there.is_ok() && socket.local_addr().is_ok_and(|own| own.ip() == address)
}

async fn listens_for_others() -> bool {
    let settings = ["/proc/sys/net/ipv4/ip_nonlocal_bind", "/proc/sys/net/ipv6/ip_nonlocal_bind"];
    for setting in settings {
        if tokio::fs::read_to_string(setting).await.is_ok_and(|text| text.trim() == "1") {
            return true;
        }
    }
    false
}

/// Connects to the first of them that takes the connection, and says which it was.
///
/// # Errors
/// When none does, in time.
pub(crate) async fn connect(
    addresses: &[IpAddr],
    port: u16,
    patience: Duration,
) -> Result<(TcpStream, IpAddr), DialProblem> {
    let mut last = DialProblem::Name(NameProblem::NoAddress);
    let each = patience / u32::try_from(addresses.len().clamp(1, TRIED_MAX)).unwrap_or(1);
    for address in addresses.iter().take(TRIED_MAX) {
        match tokio::time::timeout(each, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Ok(Err(_)) => last = DialProblem::Refused(*address),
            Err(_) => last = DialProblem::TimedOut(*address),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split(' ').map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn one_address_that_nobody_may_reach_spoils_all() {
        assert!(check(&addresses("20.0.0.1 2600::1")).unwrap().private.is_empty());
        assert_eq!(check(&addresses("20.0.0.1 10.20.0.5")).unwrap().private, addresses("10.20.0.5"));
        for bad in ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "0.0.0.0", "::1", "fe80::1"] {
            assert!(check(&addresses(&format!("20.0.0.1 {bad}"))).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_address_of_this_machine_is_known_as_its_own() {
        assert!(is_own("127.0.0.1".parse().unwrap()).await);
        assert!(is_own("127.3.2.1".parse().unwrap()).await);
    }
}
