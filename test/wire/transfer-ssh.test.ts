import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type AuthContext, type ParsedKey, utils } from 'ssh2'
import { describe, expect, test } from 'vitest'
import type { FetchProblem, FetchRequest, TrustedHostKey } from '../../src/transfer/fetcher.ts'
import { sshPrivateKey } from '../../src/transfer/ssh-key.ts'
import { given, noIdentity, problemIn, started } from '../contracts/fetcher.ts'
import { listen } from '../support/image-server.ts'
import { type SshServerOptions, startSshServer } from '../support/ssh-server.ts'
import { temporaryFolder } from '../support/wire.ts'

const schemes = ['sftp', 'scp'] as const
const image = randomBytes(200_000)
const keys = {
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'ECDSA P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'ECDSA P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
}

/** Asks a server for `/image.bin`; what differs from a right request is given. */
async function ask(
  port: number,
  scheme: (typeof schemes)[number],
  request: Partial<FetchRequest> & { readonly path?: string } = {},
) {
  const { path = '/image.bin', ...rest } = request
  const uri = new URL(`${scheme}://127.0.0.1:${port}${path}`)
  const { fetch } = await started(async () => ({ uri, connections: () => 0 }), 'serves')
  return fetch({ username: 'user', password: 'secret', ...rest })
}

async function serve(options: Partial<SshServerOptions> = {}) {
  return startSshServer({ file: () => image, ...options })
}

async function bytesOf(opened: Awaited<ReturnType<typeof ask>>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of given(opened).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function parsed(key: KeyObject): ParsedKey {
  const read = utils.parseKey(sshPrivateKey(key))
  if (read instanceof Error) throw read
  return read
}

function publicLine(key: KeyObject): string {
  const read = parsed(key)
  return `${read.type} ${read.getPublicSSH().toString('base64')} somebody@somewhere`
}

const trusting = (...trustedHostKeys: readonly TrustedHostKey[]) => ({ ...noIdentity, trustedHostKeys })

describe.each(schemes)('%s', (scheme) => {
  test.each([
    ['trusted anywhere', undefined, true],
    ['trusted there', '127.0.0.1', true],
    ['trusted elsewhere only', 'images.example', false],
  ])('a server whose key is %s', async (_what, host, isTrusted) => {
    const key = keys['Ed25519']()
    const { port, counts } = await serve({ hostKeys: [sshPrivateKey(key)] })
    const identity = trusting({ publicKey: publicLine(key), host })
    const opened = await ask(port, scheme, { identity })
    expect(opened).toMatchObject(isTrusted ? { ok: true } : { ok: false, problem: { kind: 'untrusted' } })
    // Nothing of the login has been sent to somebody else.
    expect(counts.logins.length > 0).toBe(isTrusted)
  })

  test.each([
    ['another key is trusted', [{ publicKey: publicLine(keys['Ed25519']()), host: undefined }]],
    ['no key is trusted', []],
    ['what is trusted is no key', [{ publicKey: 'ssh-ed25519', host: undefined }]],
  ])('a server is not trusted when %s', async (_what, trusted) => {
    const { port, counts } = await serve()
    expect(await ask(port, scheme, { identity: trusting(...trusted) })).toMatchObject({
      ok: false,
      problem: { kind: 'untrusted' },
    })
    expect(counts.logins).toEqual([])
  })

  test('a server with several keys shows the one that is trusted', async () => {
    const [known, other] = [keys['RSA'](), keys['Ed25519']()]
    const { port } = await serve({ hostKeys: [sshPrivateKey(other), sshPrivateKey(known)] })
    const identity = trusting({ publicKey: publicLine(known), host: undefined })
    expect(await ask(port, scheme, { identity })).toMatchObject({ ok: true })
  })

  test('a wrong password is tried once, and appears nowhere', async () => {
    const login = (context: AuthContext): void => context.reject(['password', 'keyboard-interactive'])
    const { port, counts } = await serve({ login })
    const opened = await ask(port, scheme, { password: 'not-this-one' })
    expect(opened).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(counts.logins).toEqual(['none', 'password'])
    expect(JSON.stringify(opened)).not.toContain('not-this-one')
  })

  test('a password is typed where the server asks for it', async () => {
    const login = (context: AuthContext): void => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive'])
      const prompts = [
        { prompt: 'Colour: ', echo: true },
        { prompt: 'Password: ', echo: false },
      ]
      return context.prompt(prompts, ([colour, typed]) => {
        if (colour === '' && typed === 'secret') context.accept()
        else context.reject()
      })
    }
    const { port } = await serve({ login })
    expect((await bytesOf(await ask(port, scheme))).equals(image)).toBe(true)
  })

  test('a password and then its repetition are given where both are wanted', async () => {
    const login = (context: AuthContext): void => {
      if (context.method === 'password') context.reject(['keyboard-interactive'], true)
      else if (context.method === 'keyboard-interactive') context.prompt(['Again: '], () => context.accept())
      else context.reject(['password'])
    }
    const { port } = await serve({ login })
    expect(await ask(port, scheme)).toMatchObject({ ok: true })
  })

  test('a server that lets everybody in is told no password', async () => {
    const { port, counts } = await serve({ login: (context) => context.accept() })
    expect(await ask(port, scheme)).toMatchObject({ ok: true })
    expect(counts.logins).toEqual(['none'])
  })

  test.each([
    ['there is no such file', 'missing', { kind: 'missing' }],
    ['the file may not be read', 'unauthorized', { kind: 'unauthorized' }],
    ['the server does not know either', 'interrupted', { kind: 'interrupted' }],
  ] as const)('tells that %s', async (_what, found, problem) => {
    const { port } = await serve({ file: () => found })
    expect(await ask(port, scheme)).toMatchObject({ ok: false, problem })
  })

  test('an image that is shorter than announced is not whole', async () => {
    const { port } = await serve({ overstates: 1 })
    const remote = given(await ask(port, scheme))
    expect(remote.sizeBytes).toBe(image.byteLength + 1)
    expect(await problemIn(remote)).toMatchObject({ kind: 'interrupted' })
  })

  test('an empty image is empty', async () => {
    const { port } = await serve({ file: () => new Uint8Array() })
    expect(await bytesOf(await ask(port, scheme))).toHaveLength(0)
  })

  test('a server may send in small pieces', async () => {
    const { port } = await serve({ mostBytes: 999 })
    expect((await bytesOf(await ask(port, scheme))).equals(image)).toBe(true)
  })

  test('a server that does SSH for other purposes is the wrong one', async () => {
    const { port } = await serve({ offers: [] })
    expect(await ask(port, scheme)).toEqual({ ok: false, problem: { kind: 'wrong-protocol' } })
  })

  test.each([
    ['speaks another protocol', '220 images.example ready\r\n'],
    ['says nothing and hangs up', ''],
  ])('a server that %s is the wrong one', async (_what, words) => {
    const { port } = await listen(createServer((socket) => socket.end(words)))
    expect(await ask(port, scheme)).toEqual({ ok: false, problem: { kind: 'wrong-protocol' } })
  })

  test('a server that hangs up while it introduces itself has broken off', async () => {
    const { port } = await listen(createServer((socket) => socket.end('SSH-2.0-brief\r\n')))
    expect(await ask(port, scheme)).toMatchObject({ ok: false, problem: { kind: 'interrupted' } })
  })
})

test.each(Object.entries(keys))('the service’s own key opens a server: %s', async (_type, makeKey) => {
  const key = makeKey()
  const { port, counts } = await serve({ login: keyLogin(key) })
  const request = { password: undefined, identity: { ...noIdentity, sshKey: key } }
  expect((await bytesOf(await ask(port, 'sftp', request))).equals(image)).toBe(true)
  expect(counts.logins).toContain('publickey')
  const other = { ...request, identity: { ...noIdentity, sshKey: makeKey() } }
  expect(await ask(port, 'sftp', other)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
})

test('the service’s own key is for servers that are given no password', async () => {
  const key = keys['Ed25519']()
  const { port, counts } = await serve({ login: keyLogin(key) })
  const identity = { ...noIdentity, sshKey: key }
  expect(await ask(port, 'sftp', { identity })).toMatchObject({ problem: { kind: 'unauthorized' } })
  expect(counts.logins).toEqual(['none'])
})

test.each([
  ['/plain.bin', "scp -f '/plain.bin'"],
  ['/with%20space.bin', "scp -f '/with space.bin'"],
  ["/it's;$(reboot)`x`.bin", String.raw`scp -f '/it'\''s;$(reboot)` + "`x`.bin'"],
  ['/~/at/home.bin', "scp -f './at/home.bin'"],
  ['/~/-rf', "scp -f './-rf'"],
])('scp asks the server’s shell for one word: %s', async (path, command) => {
  const { port, counts } = await serve()
  await ask(port, 'scp', { path })
  expect(counts.commands).toEqual([command])
})

test('scp: an image that the server could not read to its end is not whole, though its size is right', async () => {
  const { port } = await serve({ spoils: true })
  expect(await problemIn(given(await ask(port, 'scp')))).toMatchObject({ kind: 'interrupted' })
})

/** Lets in whoever has signed with a key. */
function keyLogin(key: KeyObject) {
  const known = parsed(key)
  return (context: AuthContext): void => {
    if (context.method !== 'publickey') return context.reject(['publickey'])
    const { data } = context.key
    const isKnown = known.getPublicSSH().equals(data)
    const { blob, signature, hashAlgo } = context
    if (!isKnown) return context.reject(['publickey'])
    const isRight = signature === undefined || known.verify(blob ?? '', signature, hashAlgo)
    return isRight ? context.accept() : context.reject()
  }
}

const SSHD = '/usr/sbin/sshd'
/** Where the real one goes when it runs as root. */
const PRIVILEGE_FOLDER = '/run/sshd'
const hasSshd = existsSync(SSHD) && (process.getuid?.() !== 0 || existsSync(PRIVILEGE_FOLDER))
const hasScp = spawnSync('scp').error === undefined

describe.skipIf(!hasSshd || !hasScp)(`OpenSSH${hasSshd ? '' : ' (skipped: no openssh-server here)'}`, () => {
  const odd = `it's "odd" $(x) ö;*.bin`

  /** OpenSSH for one key, with files in a folder; each connection has a server of its own. */
  async function startSshd(key: KeyObject) {
    const [folder, secrets] = [await temporaryFolder(), await temporaryFolder()]
    const hostKey = keys['Ed25519']()
    await mkdir(join(folder, 'sub'))
    for (const name of ['image.bin', odd]) await writeFile(join(folder, name), image)
    await writeFile(join(secrets, 'host'), sshPrivateKey(hostKey), { mode: 0o600 })
    await writeFile(join(secrets, 'known'), publicLine(key), { mode: 0o600 })
    const settings = [
      `HostKey ${secrets}/host`,
      `AuthorizedKeysFile ${secrets}/known`,
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      'PermitRootLogin yes',
      'Subsystem sftp internal-sftp',
    ]
    await writeFile(join(secrets, 'config'), `${settings.join('\n')}\n`)
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      spawn(SSHD, ['-i', '-f', join(secrets, 'config')], { stdio: [socket, socket, 'ignore'] })
      socket.destroy()
    })
    const { port } = await listen(server)
    const identity = { ...trusting({ publicKey: publicLine(hostKey), host: undefined }), sshKey: key }
    return { folder, port, request: { username: userInfo().username, password: undefined, identity } }
  }

  test.each(schemes.flatMap((scheme) => Object.keys(keys).map((type) => [scheme, type] as const)))(
    '%s with a key: %s',
    async (scheme, type) => {
      const { folder, port, request } = await startSshd(keys[type as keyof typeof keys]())
      const opened = await ask(port, scheme, { ...request, path: join(folder, 'image.bin') })
      expect(opened).toMatchObject({ value: { fileName: 'image.bin', sizeBytes: image.byteLength } })
      expect((await bytesOf(opened)).equals(image)).toBe(true)
    },
    30_000,
  )

  test.each(schemes)(
    '%s of odd names, of what is missing, and of folders',
    async (scheme) => {
      const { folder, port, request } = await startSshd(keys['Ed25519']())
      const path = `${folder}/${encodeURIComponent(odd)}`
      expect((await bytesOf(await ask(port, scheme, { ...request, path }))).equals(image)).toBe(true)
      const missing: { ok: false; problem: FetchProblem } = { ok: false, problem: { kind: 'missing' } }
      for (const absent of ['none.bin', 'sub', 'sub/none.bin']) {
        expect(await ask(port, scheme, { ...request, path: join(folder, absent) })).toEqual(missing)
      }
    },
    30_000,
  )

  test('a stranger is not let in', async () => {
    const { folder, port, request } = await startSshd(keys['Ed25519']())
    const identity = { ...request.identity, sshKey: keys['Ed25519']() }
    const path = join(folder, 'image.bin')
    expect(await ask(port, 'sftp', { ...request, identity, path })).toMatchObject({
      ok: false,
      problem: { kind: 'unauthorized' },
    })
  })
})
