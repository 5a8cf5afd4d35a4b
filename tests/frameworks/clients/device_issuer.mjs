// An OpenID provider on that port of loopback that lets people log in on another device. Its
// login page believes everybody; who logs in is among the `ops`.

import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const port = process.argv[2];
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const groups = ["ops"];
const provider = new Provider(`http://localhost:${port}`, {
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }] },
  cookies: { keys: ["only for tests"] },
  clients: [{
    client_id: "aegis",
    token_endpoint_auth_method: "none",
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    response_types: [],
    redirect_uris: [],
  }],
  claims: { openid: ["sub", "groups"] },
  conformIdTokenClaims: false,
  extraTokenClaims: () => ({ groups }),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups }) }),
  features: {
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, audience) => ({ scope: "", audience, accessTokenFormat: "jwt", accessTokenTTL: 600 }),
    },
  },
  // So short that every command renews the login.
  ttl: { AccessToken: 20, IdToken: 20 },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
