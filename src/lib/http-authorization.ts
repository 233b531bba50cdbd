import { createHash, randomBytes } from 'node:crypto'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** What a server wants to be told who asks (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** How often the nonce has been used with this request; once unless given. */
  readonly count?: number
}

/** Algorithms of RFC 7616, the best first. */
const hashes: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  MD5: 'md5',
}
const preference = [...Object.keys(hashes), 'Basic']

const TOKEN = String.raw`[!#$%&'*+\-.^_\`|~\w]+`
const PARAMETER = new RegExp(
  String.raw`^\s*(?<name>${TOKEN})\s*=\s*(?:"(?<quoted>(?:\\.|[^"\\])*)"|(?<plain>${TOKEN}))\s*(?:,|$)`,
)
const SCHEME = new RegExp(String.raw`^[\s,]*(?<scheme>${TOKEN})(?:\s+|\s*,|$)(?!\s*=)`)
/** What stands where parameters could (RFC 9110: token68), as in Negotiate. */
const TOKEN68 = /^[\w\-.~+/]+=*\s*(?:,|$)/

/** The challenges of WWW-Authenticate, one or several to a field; from what is no challenge on, nothing is read. */
export function parseChallenges(field: string | readonly string[] | undefined): Challenge[] {
  const challenges: Challenge[] = []
  let rest = [field ?? []].flat().join(', ')
  for (let head = SCHEME.exec(rest); head !== null; head = SCHEME.exec(rest)) {
    rest = rest.slice(head[0].length)
    const parameters = new Map<string, string>()
    for (let found = PARAMETER.exec(rest); found !== null; found = PARAMETER.exec(rest)) {
      rest = rest.slice(found[0].length)
      const { name = '', quoted, plain = '' } = found.groups ?? {}
      parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain)
    }
    if (parameters.size === 0) rest = rest.replace(TOKEN68, '')
    challenges.push({ scheme: (head.groups?.['scheme'] ?? '').toLowerCase(), parameters })
  }
  return challenges
}

/** What Authorization says to the best of these challenges; `undefined` when none is understood. */
export function authorizationFor(
  challenges: readonly Challenge[],
  credentials: Credentials,
  asked: Asked,
): string | undefined {
  const [best] = challenges
    .map((challenge) => ({ challenge, rank: preference.indexOf(kindOf(challenge)) }))
    .filter(({ rank }) => rank !== -1)
    .toSorted((a, b) => a.rank - b.rank)
  if (best === undefined) return undefined
  if (best.challenge.scheme === 'digest') return digest(best.challenge.parameters, credentials, asked)
  const { username, password } = credentials
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Whether the credentials may be right and only the nonce too old. */
export function isStale(challenges: readonly Challenge[]): boolean {
  return challenges.some(({ parameters }) => parameters.get('stale')?.toLowerCase() === 'true')
}

/** The preference's word for a challenge; of none where it asks for what we cannot do. */
function kindOf({ scheme, parameters }: Challenge): string {
  if (scheme === 'basic') return 'Basic'
  const canDo = scheme === 'digest' && parameters.has('nonce') && wantsAuth(parameters) !== undefined
  return canDo ? algorithmOf(parameters).replace(/-SESS$/, '') : 'none'
}

function algorithmOf(parameters: Challenge['parameters']): string {
  return (parameters.get('algorithm') ?? 'MD5').toUpperCase()
}

/** Whether to answer with qop=auth, or as before there was a qop (RFC 2069); `undefined` when neither will do. */
function wantsAuth(parameters: Challenge['parameters']): boolean | undefined {
  const qop = parameters.get('qop')
  return qop === undefined ? false : /(^|[\s,])auth([\s,]|$)/i.test(qop) || undefined
}

/** RFC 7616 §3.4 */
function digest(
  parameters: Challenge['parameters'],
  { username, password }: Credentials,
  { method, target, count = 1 }: Asked,
): string {
  const algorithm = algorithmOf(parameters)
  const isSession = algorithm.endsWith('-SESS')
  const hash = (...parts: readonly string[]): string =>
    createHash(hashes[algorithm.replace(/-SESS$/, '')] ?? 'md5')
      .update(parts.join(':'))
      .digest('hex')
  const [realm, nonce] = [parameters.get('realm') ?? '', parameters.get('nonce') ?? '']
  const [cnonce, nc] = [randomBytes(16).toString('hex'), count.toString(16).padStart(8, '0')]
  const secret = hash(username, realm, password)
  const a1 = isSession ? hash(secret, nonce, cnonce) : secret
  const a2 = hash(method, target)
  const hasQop = wantsAuth(parameters) === true
  const opaque = parameters.get('opaque')
  const isHashed = parameters.get('userhash')?.toLowerCase() === 'true'
  const fields = [
    isHashed ? quote('username', hash(username, realm)) : namedBy(username),
    quote('realm', realm),
    quote('nonce', nonce),
    quote('uri', target),
    quote('response', hasQop ? hash(a1, nonce, nc, cnonce, 'auth', a2) : hash(a1, nonce, a2)),
    ...(parameters.has('algorithm') ? [`algorithm=${parameters.get('algorithm')}`] : []),
    ...(opaque === undefined ? [] : [quote('opaque', opaque)]),
    ...(hasQop ? ['qop=auth', `nc=${nc}`] : []),
    ...(hasQop || isSession ? [quote('cnonce', cnonce)] : []),
    ...(isHashed ? ['userhash=true'] : []),
  ]
  return `Digest ${fields.join(', ')}`
}

/** A field holds ASCII; other names are encoded (RFC 8187). */
function namedBy(username: string): string {
  return /^[\x20-\x7e]*$/.test(username)
    ? quote('username', username)
    : `username*=UTF-8''${encodeURIComponent(username).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`
}

function quote(name: string, value: string): string {
  return `${name}="${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
