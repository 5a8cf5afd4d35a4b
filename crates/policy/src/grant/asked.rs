//! What a manifest asks for, in this room's own terms.

use aegis_model::manifest::{self, FileAccess, NetworkProtocol, Permissions, TlsMode};

use super::{GrantRequest, NetworkGrant, PathAccess, PathGrant, SecretGrant, Transport};

impl From<&Permissions> for GrantRequest {
    fn from(asked: &Permissions) -> Self {
        Self {
            network: asked.network.iter().map(network_of).collect(),
            filesystem: asked.filesystem.iter().map(path_of).collect(),
            tools: asked.tools.iter().map(ToString::to_string).collect(),
            models: asked.models.iter().map(ToString::to_string).collect(),
            agents: asked.agents.iter().map(ToString::to_string).collect(),
            secrets: asked.secrets.iter().map(secret_of).collect(),
        }
    }
}

fn network_of(asked: &manifest::NetworkGrant) -> NetworkGrant {
    let texts = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    NetworkGrant {
        host: asked.host.to_string(),
        ports: asked.ports.clone(),
        methods: asked.methods.as_ref().map(|list| texts(list.iter().map(|method| method.as_str()).collect())),
        paths: asked.paths.as_ref().map(|list| texts(list.iter().map(|path| path.as_str()).collect())),
        websocket: asked.websocket,
        transport: match (asked.protocol, asked.tls) {
            (NetworkProtocol::Tcp, _) => Transport::Tcp,
            (NetworkProtocol::Http, TlsMode::Passthrough) => Transport::Passthrough,
            (NetworkProtocol::Http, TlsMode::Intercept) => Transport::Http,
        },
        cidr: asked.cidr.map(|range| range.to_string()),
    }
}

fn path_of(asked: &manifest::FilesystemGrant) -> PathGrant {
    let access = match asked.access {
        FileAccess::Read => PathAccess::Read,
        FileAccess::Write => PathAccess::Write,
    };
    PathGrant { path: asked.path.to_string(), access, volume: asked.volume.to_string() }
}

fn secret_of(asked: &manifest::SecretGrant) -> SecretGrant {
    SecretGrant {
        name: asked.name.to_string(),
        host: asked.inject.host.to_string(),
        port: asked.inject.port_or_default(),
    }
}
