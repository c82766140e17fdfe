// An OpenID provider of others, for the tests: it insists on PKCE and a nonce, and knows two people.
//
// The one argument holds its clients as JSON. It prints where it is as one line; a line `rotate` on
// stdin makes it sign with new keys; the end of stdin ends it.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

console.info = console.warn = console.error; // its notices: stdout is for our lines
const clients = JSON.parse(process.argv[2]);
const PEOPLE = {
  "subject-of-mia": { preferred_username: "mia", email: "mia@example.org", email_verified: true },
  "subject-of-eve": { preferred_username: "eve", email: "mia@example.org", email_verified: false },
};

function keys() {
  const kinds = [["rsa", { modulusLength: 2048 }, "RS256"], ["ec", { namedCurve: "P-256" }, "ES256"]];
  return kinds.map(([kind, options, alg]) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    return { ...privateKey.export({ format: "jwk" }), use: "sig", alg, kid: randomUUID() };
  });
}

function made(issuer) {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: keys() },
    cookies: { keys: ["only for the tests"] },
    claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, id) =>
      id in PEOPLE ? { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) } : undefined,
  });
  provider.use(async (context, next) => {
    if (context.path === "/auth" && !context.query.nonce) context.throw(400, "a nonce is needed");
    await next();
  });
  return provider.callback();
}

const server = createServer((request, response) => answer(request, response));
let answer;
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  answer = made(issuer);
  console.log(JSON.stringify({ issuer }));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    if (line === "rotate") {
      answer = made(issuer);
      console.log(JSON.stringify({ rotated: true }));
    }
  });
  lines.on("close", () => process.exit(0));
});
