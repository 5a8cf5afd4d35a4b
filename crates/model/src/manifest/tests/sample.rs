//! Manifests that several tests start from.

/// Every field that has landed.
pub(super) const FULL: &str = r#"apiVersion: aegis/v1
kind: Agent
metadata: {name: github-triage, labels: {team: platform}}
spec:
  runtime:
    isolation: process
    command: ["python3", "agent.py"]
    source: ./src
    root: host
    protocol: stdio
  resources: {cpu: 500m, memory: 256Mi, pids: 64, disk: 512Mi, timeout: 5m, idle_timeout: 15m, max_lifetime: 8h}
  permissions:
    network:
      - {host: api.github.com, ports: [80], methods: [GET, POST], paths: ["/repos/**"], websocket: false}
      - {host: db.internal.example, ports: [5432], protocol: tcp, cidr: 10.20.0.0/16}
      - {host: pinned.example, ports: [443], tls: passthrough}
    filesystem: [{path: /data/reports, access: read, volume: reports}]
    tools: [http_call, "mcp:github/*"]
    models: ["gpt-*"]
    agents: [summarizer]
    secrets: [{name: github-token, inject: {host: api.github.com, header: Authorization, format: "Bearer {value}"}}]
  limits: {budget_cents: 50, tokens: 200000, tool_calls: 100, depth: 3, fan_out: 10, on_exceeded: pause}
  env: {LOG_LEVEL: info}
"#;
