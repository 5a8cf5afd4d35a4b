// Signs requests with the signer of the AWS SDK for JavaScript, and sees them answered.
import assert from "node:assert/strict";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";

const url = new URL(process.env.AEGIS_URL);
const key = JSON.parse(process.env.SIGNING_KEY);
const signer = new SignatureV4({
  service: "bedrock-agentcore",
  region: key.region,
  sha256: Sha256,
  credentials: { accessKeyId: key.access_key_id, secretAccessKey: key.secret_access_key },
});

async function send(method, path, body) {
  const request = {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path,
    query: {},
    headers: { host: url.host, "content-type": "application/json" },
    body,
  };
  const { headers } = await signer.sign(request);
  return fetch(new URL(path, url), { method, headers, body });
}

assert.equal((await send("GET", "/api/v1/agents/by-botocore")).status, 200);
const answer = await send("POST", "/api/v1/agents/by-botocore/invocations", '{"input": 7}');
assert.equal(answer.status, 200);
assert.equal((await answer.json()).output, 7);
console.log("signed by the SDK for JavaScript");
