import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { authorizationFor, parseChallenges } from '../../src/lib/http-authorization.ts'
import { ask, bytesOf } from '../contracts/fetcher.ts'
import { basicUserOf, serveHttp } from '../support/image-server.ts'

const IMAGE = 'the image'
const user = { username: 'Jürgen "J" O', password: 's:cret' }
const plain = { username: 'user', password: 'secret' }
const hashes: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
}

interface Rules {
  readonly challenge: string
  readonly isRight: (request: IncomingMessage) => boolean
}

/** A server that challenges until it is content; it remembers what it was shown. */
async function serve(...rules: readonly Rules[]) {
  const shown: (string | undefined)[] = []
  const server = await serveHttp((request, response) => {
    const rule = rules[Math.min(shown.push(request.headers.authorization), rules.length) - 1]
    return rule?.isRight(request) === true
      ? response.end(IMAGE)
      : response.writeHead(401, { 'www-authenticate': rule?.challenge ?? '' }).end('who are you?')
  })
  return { ...server, shown }
}

/** Whether a request proves by RFC 7616 §3.4.1 that it knows the password. */
function proves({ username, password }: typeof plain, nonce: string) {
  return ({ headers, method = '', url = '' }: IncomingMessage): boolean => {
    const fields = fieldsOf(headers.authorization)
    const field = (name: string): string => fields.get(name) ?? ''
    const algorithm = fields.get('algorithm') ?? 'MD5'
    const h = (text: string): string =>
      createHash(hashes[algorithm.replace('-sess', '')] ?? '')
        .update(text)
        .digest('hex')
    const secret = h(`${username}:${field('realm')}:${password}`)
    const a1 = algorithm.endsWith('-sess') ? h(`${secret}:${nonce}:${field('cnonce')}`) : secret
    const middle = fields.has('qop') ? `${nonce}:${field('nc')}:${field('cnonce')}:auth` : nonce
    const isNamed =
      fields.get('userhash') === 'true'
        ? field('username') === h(`${username}:${field('realm')}`)
        : (fields.get('username') ?? decodeURIComponent(field('username*').replace("UTF-8''", ''))) ===
          username
    return (
      isNamed &&
      field('nonce') === nonce &&
      field('uri') === url &&
      field('opaque') === 'o"paque' &&
      field('response') === h(`${a1}:${middle}:${h(`${method}:${url}`)}`)
    )
  }
}

function fieldsOf(authorization = ''): ReadonlyMap<string, string> {
  const pairs = authorization.replace(/^Digest /, '').matchAll(/([\w*]+)=(?:"((?:\\.|[^"\\])*)"|([^\s,]+))/g)
  return new Map(
    [...pairs].map(([, name = '', quoted, bare = '']) => [name, quoted?.replaceAll(/\\(.)/g, '$1') ?? bare]),
  )
}

const challenge = (rest: string, nonce = 'n1'): string =>
  String.raw`Digest realm="a \"realm\", quoted", nonce="${nonce}", opaque="o\"paque", ${rest}`

describe('Digest', () => {
  test.each([
    'qop="auth", algorithm=MD5',
    'qop="auth", algorithm=MD5-sess',
    'qop="auth,auth-int", algorithm=SHA-256, charset=UTF-8',
    'qop="auth-int, auth", algorithm=SHA-256-sess',
    'qop="auth", algorithm=SHA-256, userhash=true',
    'qop="auth"',
    'stale=false',
  ])('proves the password where %s is asked for, and never shows it', async (asked) => {
    for (const one of [plain, user]) {
      const server = await serve({ challenge: challenge(asked), isRight: proves(one, 'n1') })
      const opened = await ask(server, { uri: new URL('/image.bin?a=b&c', server.origin), ...one })
      expect(String(await bytesOf(opened))).toBe(IMAGE)
      expect(server.shown).toEqual([undefined, expect.stringMatching(/^Digest /)])
    }
  })

  test('is tried again with the nonce that a server has instead of one too old', async () => {
    const fresh = challenge('qop="auth", stale=true', 'n2')
    const server = await serve(
      { challenge: challenge('qop="auth"'), isRight: () => false },
      { challenge: fresh, isRight: () => false },
      { challenge: fresh, isRight: proves(plain, 'n2') },
    )
    expect(String(await bytesOf(await ask(server, plain)))).toBe(IMAGE)
  })

  test('is not tried for ever by a server whose nonces are always too old', async () => {
    const server = await serve({ challenge: challenge('qop="auth", stale=true'), isRight: () => false })
    expect(await ask(server, plain)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(server.shown).toHaveLength(3)
  })

  test('is not tried again when the password is wrong', async () => {
    const server = await serve({ challenge: challenge('qop="auth"'), isRight: proves(plain, 'n1') })
    const wrong = { ...plain, password: 'guess' }
    expect(await ask(server, wrong)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(server.shown).toHaveLength(2)
  })
})

describe('of several ways', () => {
  test.each([
    [`Basic realm="x", ${challenge('qop="auth", algorithm=SHA-256')}`, /^Digest .*algorithm=SHA-256,/],
    [`${challenge('algorithm=MD5')}, ${challenge('algorithm=SHA-256')}`, /^Digest .*algorithm=SHA-256,/],
    [`Negotiate, NTLM TlRMTVNTUAAC==, ${challenge('algorithm=MD5')}`, /^Digest .*algorithm=MD5,/],
    [`${challenge('algorithm=SHA-3')}, Basic realm="x"`, /^Basic /],
    [`${challenge('qop="auth-int"')}, basic realm="x"`, /^Basic /],
    ['Digest realm="no nonce", Basic', /^Basic /],
    ['Bearer, Negotiate', /^undefined$/],
    ['', /^undefined$/],
  ])('%s the best that we know is taken', (field, expected) => {
    const authorization = authorizationFor(parseChallenges(field), plain, { method: 'GET', target: '/' })
    expect(String(authorization)).toMatch(expected)
  })

  test('challenges in fields of their own are read like those in one', () => {
    const [basic, digest] = ['Basic realm="x"', challenge('qop=auth')]
    expect(parseChallenges([basic, digest])).toEqual(parseChallenges(`${basic}, ${digest}`))
    expect(parseChallenges([basic, digest])).toHaveLength(2)
  })
})

describe('Basic', () => {
  test('is sent when it is asked for, and not before', async () => {
    const isRight = (request: IncomingMessage): boolean => basicUserOf(request) === 'Jürgen "J" O:s:cret'
    const server = await serve({ challenge: 'Basic realm="images", charset="UTF-8"', isRight })
    expect(String(await bytesOf(await ask(server, user)))).toBe(IMAGE)
    expect(server.shown).toEqual([undefined, expect.stringMatching(/^Basic /)])
  })

  test('is sent to nobody who is not asked with a user name', async () => {
    const server = await serve({ challenge: 'Basic realm="images"', isRight: () => false })
    expect(await ask(server)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(server.shown).toEqual([undefined])
  })
})
