// An independent OpenID provider for the real-server tests: npm's oidc-provider over TLS, with its own log-in and
// consent pages, PKCE S256 required, refresh rotation and token introspection.
//
//   node provider.mjs CONFIG.json
//
// Standard output: one JSON line {"ready": issuer} when it listens. Standard input takes one command a line and
// answers each with one JSON line:
//   revoke LOGIN   the user withdraws every consent: grants, refresh and access tokens are gone
//   expire LOGIN   his access tokens end now, refresh tokens stay
//   counts         what the token endpoint did: {"authorization_code": 1, "refresh_token": 2, "invalid_grant": 0 …},
//                  and by what proof it granted: client_secret_post, client_secret_basic, PS256, RS256
// SIGTERM keeps what was granted in the state file, so that a restart is a restart and not a new provider.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

// Standard output is the answers' alone; the provider tells what it would have customised.
console.info = console.error;

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `https://127.0.0.1:${config.port}`;

const now = () => Math.floor(Date.now() / 1000);
const rows = new Map(existsSync(config.state_file) ? JSON.parse(readFileSync(config.state_file, 'utf8')) : []);

class Adapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  live(row) { return row && (row.expires === null || row.expires > now()) ? row.payload : undefined; }
  search(wanted) {
    for (const [key, row] of rows) if (key.startsWith(`${this.model}:`) && wanted(row.payload)) return this.live(row);
    return undefined;
  }
  async upsert(id, payload, expiresIn) {
    rows.set(this.key(id), { payload, expires: expiresIn === undefined ? null : now() + expiresIn });
  }
  async find(id) { return this.live(rows.get(this.key(id))); }
  async findByUid(uid) { return this.search((payload) => payload.uid === uid); }
  async findByUserCode(code) { return this.search((payload) => payload.userCode === code); }
  async consume(id) { rows.get(this.key(id)).payload.consumed = now(); }
  async destroy(id) { rows.delete(this.key(id)); }
  async revokeByGrantId(grant) { forget((_, payload) => payload.grantId === grant); }
}

function forget(wanted) {
  let count = 0;
  for (const [key, { payload }] of rows) {
    if (wanted(key.slice(0, key.indexOf(':')), payload)) { rows.delete(key); count += 1; }
  }
  return count;
}

const provider = new Provider(issuer, {
  adapter: Adapter,
  clients: config.clients,
  cookies: { keys: ['a key for tests only'] },
  scopes: ['openid', 'offline_access', ...config.scopes],
  claims: { email: ['email', 'email_verified'], profile: ['preferred_username', 'name'] },
  // The names belong into the id_token, as Entra and Google send them.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  subjectTypes: ['public', 'pairwise'],
  // A subject that is not the mail address: who confuses the two is found out.
  pairwiseIdentifier: (_, login, client) => createHash('sha256').update(`${client.clientId} ${login}`).digest('hex'),
  findAccount: (_, login) => ({
    accountId: login,
    claims: () => ({ sub: login, email: login, email_verified: true, preferred_username: login, name: login.split('@')[0] }),
  }),
  // An application's own token opens one mailbox here, or none.
  extraTokenClaims: (_, token) => {
    const username = token.accountId ?? config.app_mailboxes[token.clientId];
    return username ? { username } : undefined;
  },
  expiresWithSession: () => false,
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'dovecot' },
    revocation: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
  },
  ttl: {
    AccessToken: config.access_token_life_s,
    RefreshToken: 86400,
    AuthorizationCode: 60,
    IdToken: 3600,
    Grant: 86400,
    Interaction: 3600,
    Session: 86400,
    DeviceCode: 600,
    ClientCredentials: 600,
  },
});

const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };
// How the client proved itself; the provider takes a secret either way, whatever the client is registered with.
const proof = ({ headers, oidc: { body } }) => {
  if (headers.authorization?.startsWith('Basic ')) return 'client_secret_basic';
  if (body.client_secret) return 'client_secret_post';
  return JSON.parse(Buffer.from(body.client_assertion.split('.')[0], 'base64url')).alg;
};
provider.on('grant.success', (ctx) => { count(ctx.oidc.params.grant_type); count(proof(ctx)); });
provider.on('grant.error', (_, error) => count(error.error));
provider.on('server_error', (_, error) => console.error(error));

const commands = {
  revoke: (login) => ({ revoked: forget((model, { accountId }) => accountId === login && model !== 'Interaction') }),
  expire: (login) => ({ expired: forget((model, { accountId }) => accountId === login && model === 'AccessToken') }),
  counts: () => counts,
};

const tls = { cert: readFileSync(config.certificate_file), key: readFileSync(config.key_file) };
const server = createServer(tls, provider.callback());
server.listen(config.port, '127.0.0.1', () => console.log(JSON.stringify({ ready: issuer })));

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [command, argument] = line.split(' ');
    console.log(JSON.stringify(commands[command]?.(argument) ?? { unknown: command }));
  })
  // Whoever started it is gone, so nothing is left behind.
  .on('close', () => process.exit(0));

process.on('SIGTERM', () => {
  writeFileSync(config.state_file, JSON.stringify([...rows]), { mode: 0o600 });
  process.exit(0);
});
