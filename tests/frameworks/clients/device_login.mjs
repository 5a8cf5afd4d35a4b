// Logs in with the command line at an OpenID provider, on another device as people do: the
// device is a browser that fills in forms. Then commands go on under that name.

import assert from "node:assert";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { AEGIS, AEGIS_URL, DEVICE_ISSUER: ISSUER } = process.env;
const HOME = mkdtempSync(join(tmpdir(), "aegis-login-"));
const world = { env: { HOME, AEGIS_URL, PATH: process.env.PATH }, encoding: "utf8" };

// A browser that keeps cookies and sends the form of each page, filled in.
async function browse(address) {
  const cookies = new Map();
  let request = [address, { method: "GET" }];
  for (let page = 0; page < 20; page += 1) {
    const [url, how] = request;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { ...how, redirect: "manual", headers: { ...how.headers, cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
      if (value === "") cookies.delete(name); else cookies.set(name, value);
    }
    if (answer.headers.has("location")) {
      request = [new URL(answer.headers.get("location"), url).href, { method: "GET" }];
      continue;
    }
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const form = text.match(/<form[^>]*action="([^"]*)"[^>]*>/);
    if (!form) return text;
    const fields = new URLSearchParams();
    for (const [field] of text.matchAll(/<(?:input|button)[^>]*>/g)) {
      const name = field.match(/name="([^"]*)"/)?.[1];
      if (name && name !== "abort") fields.set(name, field.match(/value="([^"]*)"/)?.[1] ?? "");
    }
    if (fields.has("login")) fields.set("login", "ada");
    if (text.includes("confirm")) fields.set("confirm", "yes");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    request = [new URL(form[1], url).href, { method: "POST", body: fields.toString(), headers }];
  }
  throw new Error("the login has no end");
}

async function login(...more) {
  const child = spawn(AEGIS, ["login", "--output", "json", ...more], world);
  let [said, told] = ["", ""];
  child.stdout.on("data", (piece) => { told += piece; });
  const ended = new Promise((resolve) => child.on("close", resolve));
  let browsed;
  child.stderr.on("data", (piece) => {
    said += piece;
    const address = said.match(/http:\S+user_code=\S+/)?.[0];
    if (!address || !said.includes("Waiting") || browsed) return;
    browsed = browse(address).catch((error) => {
      said += error;
      child.kill();
    });
  });
  assert.equal(await ended, 0, said);
  await browsed;
  return JSON.parse(told);
}

const aegis = (...words) => execFileSync(AEGIS, words, world);
const file = () => readFileSync(join(HOME, ".config/aegis/logins.toml"), "utf8");

try {
  const first = await login("--issuer", ISSUER, "--client-id", "aegis");
  assert.deepEqual([first.token, first.subject, first.renews_itself], ["id", "ada", true]);
  const before = file();
  aegis("agent", "list");
  assert.notEqual(file(), before, "the login was not renewed");
  aegis("agent", "list");
  assert.equal(aegis("logout", "--output", "json").includes('"ended_at_issuer": true'), true);
  assert.equal(spawnSync(AEGIS, ["agent", "list"], world).status, 4);

  const again = await login("--audience", "https://aegis.example");
  assert.deepEqual([again.token, again.subject], ["access", "ada"]);
  aegis("agent", "list");
  assert.equal(spawnSync(AEGIS, ["key", "list"], world).status, 4);
  console.log("logged in on another device at a real OpenID provider");
} finally {
  rmSync(HOME, { recursive: true });
}
