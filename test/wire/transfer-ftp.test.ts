import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { FetchRequest } from '../../src/transfer/fetcher.ts'
import { createFtpFetcher } from '../../src/transfer/ftp.ts'
import { createNetwork } from '../../src/transfer/network.ts'
import { given, noIdentity, problemIn, started } from '../contracts/fetcher.ts'
import { certificateFor, createAuthority } from '../support/authority.ts'
import { type FtpServerOptions, hasFtpTls, hasPyftpdlib, startFtpServer } from '../support/ftp-server.ts'
import { listen } from '../support/image-server.ts'

const image = randomBytes(300_000)
const login = { username: 'user', password: 'secret' }

async function ask(uri: string, request: Partial<FetchRequest> = {}) {
  const { fetch } = await started(async () => ({ uri: new URL(uri), connections: () => 0 }), 'serves')
  return fetch({ ...login, ...request })
}

async function bytesOf(opened: Awaited<ReturnType<typeof ask>>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of given(opened).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function serve(options: Partial<FtpServerOptions> = {}) {
  const server = await startFtpServer({ files: { 'image.bin': image }, ...options })
  return { ...server, uri: `ftp://127.0.0.1:${server.port}/image.bin` }
}

describe.skipIf(!hasPyftpdlib)(`FTP${hasPyftpdlib ? '' : ' (skipped: no python3-pyftpdlib here)'}`, () => {
  test('who gives no name is anonymous', async () => {
    const { uri, commands } = await serve()
    const opened = await ask(uri, { username: undefined, password: undefined })
    expect((await bytesOf(opened)).equals(image)).toBe(true)
    expect(commands).toContain('USER anonymous')
  })

  test('the size is known before the image comes, which comes as it is', async () => {
    const { uri, commands } = await serve()
    expect(given(await ask(uri)).sizeBytes).toBe(image.byteLength)
    expect(commands).toContain('TYPE I')
  })

  test.each([
    ['SIZE', undefined],
    ['EPSV', image.byteLength],
  ])('a server that does not know %s will do', async (command, sizeBytes) => {
    const { uri } = await serve({ without: [command] })
    const opened = await ask(uri)
    expect(given(opened).sizeBytes).toBe(sizeBytes)
    expect((await bytesOf(opened)).equals(image)).toBe(true)
  })

  test.each([
    ['/with%20space%20%C3%B6.bin', 'with space ö.bin'],
    ['/%20leading.bin', ' leading.bin'],
    ['/100%25.bin', '100%.bin'],
    ['/image.bin;type=i', 'image.bin'],
    ['/%2Fimage.bin', 'image.bin'],
  ])('%s names a file', async (path, name) => {
    const { port } = await serve({ files: { [name]: image } })
    const opened = await ask(`ftp://127.0.0.1:${port}${path}`)
    expect(given(opened).fileName).toBe(name)
    expect((await bytesOf(opened)).equals(image)).toBe(true)
  })

  test.each(['/', '/%0D%0ADELE%20image.bin', '/image.bin%00'])('%s names none', async (path) => {
    const { port, commands } = await serve()
    expect(await ask(`ftp://127.0.0.1:${port}${path}`)).toEqual({ ok: false, problem: { kind: 'missing' } })
    expect(commands).toEqual([])
  })

  test('an empty image is empty', async () => {
    const { uri } = await serve({ files: { 'image.bin': new Uint8Array() } })
    expect(await bytesOf(await ask(uri))).toHaveLength(0)
  })

  test.each(['end', 'cut'] as const)('an image that ends too soon (%s) is not whole', async (what) => {
    // Without a size the server's last word has to tell.
    const { uri } = await serve({ oddity: { what, afterBytes: 100_000 }, without: ['SIZE'] })
    const opened = await ask(uri)
    // It may end before anybody looks.
    const problem = opened.ok ? await problemIn(opened.value) : opened.problem
    expect(problem).toMatchObject({ kind: 'interrupted' })
  })

  test('a wrong password appears nowhere', async () => {
    const { uri } = await serve()
    const opened = await ask(uri, { password: 'not-this-one' })
    expect(opened).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
    expect(JSON.stringify(opened)).not.toContain('not-this-one')
  })
})

describe.skipIf(!hasFtpTls)(
  `FTP over TLS${hasFtpTls ? '' : ' (skipped: no python3-pyftpdlib with python3-openssl here)'}`,
  () => {
    const trusting = (...trustedCertificates: readonly string[]) => ({ ...noIdentity, trustedCertificates })

    test('nothing of the login is said before the server is found right', async () => {
      const { authority, ...tls } = await certificateFor(['127.0.0.1'])
      const { port, commands } = await serve({ tls })
      const uri = `ftps://127.0.0.1:${port}/image.bin`
      const other = trusting((await createAuthority()).certificate)
      expect(await ask(uri, { identity: other })).toMatchObject({ ok: false, problem: { kind: 'untrusted' } })
      expect(commands).toEqual(['AUTH TLS'])
      expect(await ask(uri, { identity: trusting(authority.certificate) })).toMatchObject({ ok: true })
      expect(commands).toContain('USER user')
    })

    test('the image itself is secured', async () => {
      const { authority, ...tls } = await certificateFor(['127.0.0.1'])
      const { port, commands } = await serve({ tls })
      const opened = await ask(`ftps://127.0.0.1:${port}/image.bin`, {
        identity: trusting(authority.certificate),
      })
      expect((await bytesOf(opened)).equals(image)).toBe(true)
      expect(commands).toContain('PROT P')
    })

    test('a certificate for somebody else is not trusted', async () => {
      const { authority, ...tls } = await certificateFor(['10.1.1.1'])
      const { port } = await serve({ tls })
      const identity = trusting(authority.certificate)
      expect(await ask(`ftps://127.0.0.1:${port}/image.bin`, { identity })).toMatchObject({
        problem: { kind: 'untrusted' },
      })
    })

    test('any certificate will do where none is asked for', async () => {
      const { authority: _authority, ...tls } = await certificateFor(['10.1.1.1'])
      const { port } = await serve({ tls })
      expect(await ask(`ftps://127.0.0.1:${port}/image.bin`)).toMatchObject({ ok: true })
    })

    test('a server without TLS is the wrong one', async () => {
      const { port, commands } = await serve()
      expect(await ask(`ftps://127.0.0.1:${port}/image.bin`)).toEqual({
        ok: false,
        problem: { kind: 'wrong-protocol' },
      })
      expect(commands).not.toContain('USER user')
    })

    test('on port 990 TLS comes first', async () => {
      const { authority, ...tls } = await certificateFor(['127.0.0.1'])
      const { port, commands } = await serve({ tls, isImplicit: true })
      const network = createNetwork({ clock: systemClock, policy: () => true })
      const fetcher = createFtpFetcher({
        clock: systemClock,
        folders: new Map(),
        // None but the administrator listens on 990.
        network: {
          ...network,
          dial: (target) => network.dial({ ...target, port: target.port === 990 ? port : target.port }),
        },
      })
      const opened = await fetcher.open({
        uri: new URL('ftps://127.0.0.1:990/image.bin'),
        ...login,
        identity: trusting(authority.certificate),
        signal: new AbortController().signal,
      })
      expect((await bytesOf(opened)).equals(image)).toBe(true)
      expect(commands).not.toContain('AUTH TLS')
    })
  },
)

/** A server that answers each command as it is told to, and everything else with 200. */
async function startScripted(answers: Readonly<Record<string, string>>, greeting = '220 ready') {
  const commands: string[] = []
  const { port } = await listen(
    createServer((socket) => {
      socket.write(`${greeting}\r\n`)
      createInterface(socket).on('line', (line) => {
        commands.push(line)
        socket.write(`${answers[line.split(' ')[0] ?? ''] ?? '200 fine'}\r\n`)
      })
    }),
  )
  return { uri: `ftp://127.0.0.1:${port}/image.bin`, commands }
}

/** Takes data connections, and says nothing on them. */
async function dataPort(): Promise<Readonly<Record<string, string>>> {
  const { port } = await listen(createServer((socket) => socket.resume()))
  return { EPSV: `229 Entering (|||${port}|)` }
}

test.each([
  ['550 No such file.', 'missing'],
  ['550 Failed to open file.', 'missing'],
  ['550 Permission denied.', 'unauthorized'],
  ['550 Not enough privileges.', 'unauthorized'],
  ['530 Log in first.', 'unauthorized'],
  ['532 Need an account.', 'unauthorized'],
  ['425 No data connection.', 'no-connection'],
  ['421 Too many users.', 'no-connection'],
  ['451 Local error.', 'interrupted'],
])('%s to RETR means: %s', async (reply, kind) => {
  const { uri } = await startScripted({ ...(await dataPort()), RETR: reply })
  expect(await ask(uri)).toMatchObject({ ok: false, problem: { kind } })
})

test.each([
  ['a server that is full', '421 Too many users.', 'no-connection'],
  ['a server of another protocol', 'SSH-2.0-OpenSSH_9.2', 'wrong-protocol'],
  ['a server of another protocol, talkative', 'HTTP/1.1 400 Bad Request\r\n\r\n220 ', 'wrong-protocol'],
])('%s is told by its first word', async (_what, greeting, kind) => {
  const { uri, commands } = await startScripted({}, greeting)
  expect(await ask(uri)).toMatchObject({ ok: false, problem: { kind } })
  expect(commands.filter((line) => line.startsWith('USER'))).toEqual([])
})

test('a server that refuses the name is told no password', async () => {
  const { uri, commands } = await startScripted({ USER: '530 Not you.' })
  expect(await ask(uri)).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
  expect(commands).not.toContain('PASS secret')
})

test('what a server says of a secret is not repeated', async () => {
  const { uri } = await startScripted({ USER: '331 Go on.', PASS: '530 secret is wrong for user.' })
  const opened = await ask(uri)
  expect(opened).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
  expect(JSON.stringify(opened)).not.toContain('secret')
})

test('data comes from the server itself, wherever it would have it come from', async () => {
  const elsewhere = await listen(createServer((socket) => socket.end('evil')))
  const { port } = elsewhere
  const { uri, commands } = await startScripted({
    EPSV: '500 What?',
    PASV: `227 Entering (10,255,255,1,${port >> 8},${port & 255})`,
  })
  expect(await ask(uri)).toMatchObject({ ok: false, problem: { kind: 'interrupted' } })
  expect(commands).not.toContain('RETR image.bin')
  expect(elsewhere.accepted()).toBe(0)
})
