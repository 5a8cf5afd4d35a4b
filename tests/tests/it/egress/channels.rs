//! Other ways out: there is none but the one that is watched.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::json;

use super::{all_are, place};

/// Everything that could be a way out.
const DIG: &str = r#"
def tried(work):
    try:
        work()
        return "done"
    except OSError as error: return errno.errorcode.get(error.errno, type(error).__name__)
def stream(address, port, family=socket.AF_INET):
    line = socket.socket(family, socket.SOCK_STREAM)
    line.settimeout(2)
    line.connect((address, port))
def datagram(address, port, family=socket.AF_INET):
    line = socket.socket(family, socket.SOCK_DGRAM)
    line.sendto(b"data", (address, port))
def bound():
    line = socket.socket()
    line.bind(("20.0.0.9", 0))
def device():
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.SOL_SOCKET, 25, b"h0\0")
    line.sendto(b"data", ("20.0.0.1", 443))
four, six = ["20.0.0.1", "10.77.0.1", "10.77.0.2", "169.254.169.254", "8.8.8.8", "255.255.255.255", "224.0.0.1"], ["2600::1", "fd77::1", "fd77::2", "fe80::1", "::ffff:20.0.0.1", "64:ff9b::1400:1", "ff02::1"]
address = resolve("api.example.com")
api = API.split(":")
result = {
    "stream": together(lambda at: tried(lambda: stream(at, 80)), four),
    "datagram": together(lambda at: tried(lambda: datagram(at, 443)), four),
    "stream 6": together(lambda at: tried(lambda: stream(at, 80, socket.AF_INET6)), six),
    "datagram 6": together(lambda at: tried(lambda: datagram(at, 443, socket.AF_INET6)), six),
    "host's api": tried(lambda: stream(api[0], int(api[1]))),
    "raw": {str(kind): tried(lambda: socket.socket(*kind)) for kind in [(socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET, socket.SOCK_RAW, 255), (socket.AF_INET6, socket.SOCK_RAW, 58), (socket.AF_PACKET, socket.SOCK_RAW, 768), (socket.AF_PACKET, socket.SOCK_DGRAM, 768), (40, socket.SOCK_STREAM, 0), (38, 5, 0), (31, 3, 1), (29, 3, 1), (30, 1, 0), (44, 3, 0)]},
    "ping": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).sendto(b"\x08\0\xf7\xff\0\0\0\0", ("20.0.0.1", 0))),
    "bound": tried(bound), "device": tried(device),
    "other port of a granted name": [tried(lambda: stream(address, port)) for port in [22, 25, 81, 8080]],
    "datagram to a granted name": tried(lambda: datagram(address, 443)),
    "address of nobody": [tried(lambda: stream(at, 80)) for at in ["127.64.200.1", "127.127.255.254"]],
    "other ports here": [port for port in range(1, 9000) if port not in (53, 7700, 7702) and tried(lambda: stream("127.0.0.1", port)) == "done"],
    "interfaces": [name for name in (line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]) if name not in ("lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0")],
}
"#;

#[test]
fn there_is_no_way_out_but_the_one_that_is_watched() {
    let Some(place) = place() else { return };
    let listening: Vec<_> =
        ["20.0.0.1", "10.77.0.2", "169.254.169.254", "2600::1", "fd77::2"].map(|at| place.world.sink(at, 80)).into();
    let datagrams = place.world.outside(|| UdpSocket::bind("20.0.0.1:443").unwrap());
    datagrams.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.deploy("digger", json!([{"host": "api.example.com", "ports": [80, 443]}]));
    let told = place.run("digger", &format!("API = {:?}\n{DIG}", place.server.address));
    let refused = [
        "ENETUNREACH",
        "EHOSTUNREACH",
        "EACCES",
        "EPERM",
        "EADDRNOTAVAIL",
        "EAFNOSUPPORT",
        "EINVAL",
        "EPROTONOSUPPORT",
        "ESOCKTNOSUPPORT",
        "ENODEV",
        "ECONNREFUSED",
    ];
    for way in ["stream", "datagram", "stream 6", "datagram 6", "raw"] {
        all_are(&told[way], &refused);
    }
    let rest =
        json!({"api": told["host's api"], "ping": told["ping"], "bound": told["bound"], "device": told["device"]});
    all_are(&rest, &refused);
    assert_eq!(
        told["other port of a granted name"],
        json!(vec!["ECONNREFUSED"; 4]),
        "only what is granted is listened on"
    );
    assert_eq!(told["address of nobody"], json!(vec!["ECONNREFUSED"; 2]));
    assert_eq!((&told["other ports here"], &told["interfaces"]), (&json!([]), &json!([])));
    assert!(listening.iter().all(|sink| sink.connections() == 0));
    assert!(datagrams.recv_from(&mut [0; 64]).is_err(), "a datagram has left");
    assert_eq!(place.world.names().queries(), vec![]);
}
