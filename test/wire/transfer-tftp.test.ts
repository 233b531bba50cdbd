import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { RemoteImage } from '../../src/transfer/fetcher.ts'
import { given, noIdentity, problemIn, started } from '../contracts/fetcher.ts'
import {
  ACK,
  data,
  ERROR,
  optionAcknowledgement,
  serveTftp,
  startTftpPeer,
  tftpError,
} from '../support/tftp-peer.ts'
import { temporaryFolder } from '../support/wire.ts'

const READ_REQUEST = 1
const block = (letter: string): Buffer => Buffer.alloc(512, letter)

/** Asks a peer for its image, on a clock that the test moves. */
async function ask(path = '/image.bin') {
  const peer = await startTftpPeer()
  const uri = new URL(path, peer.uri)
  const { fetch, clock } = await started(async () => ({ uri, connections: () => 0 }), 'serves')
  return { peer, clock, opened: fetch({}) }
}

async function bytesOf({ body }: RemoteImage): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('asks for bytes, for larger blocks, for several at once and for the size', async () => {
  const { peer, opened } = await ask('/sub/fw%201.bin;mode=octet')
  const { opcode, words } = await peer.request()
  expect(opcode).toBe(READ_REQUEST)
  expect(words.slice(0, -1)).toEqual([
    'sub/fw 1.bin',
    'octet',
    'tsize',
    '0',
    'blksize',
    '1428',
    'windowsize',
    '16',
  ])
  peer.send(optionAcknowledgement({ tsize: 3, blksize: 1_428, windowsize: 16 }))
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 0 })
  expect(await opened).toMatchObject({ value: { fileName: 'fw 1.bin', sizeBytes: 3 } })
  peer.send(data(1, Buffer.from('abc')))
  expect((await bytesOf(given(await opened))).toString()).toBe('abc')
})

test('a server without options is read by blocks of 512, each acknowledged', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(data(1, block('a')))
  const remote = given(await opened)
  expect(remote.sizeBytes).toBeUndefined()
  const read = bytesOf(remote)
  for (const [number, bytes] of [block('b'), block('c'), Buffer.alloc(0)].entries()) {
    expect(await peer.next()).toMatchObject({ opcode: ACK, number: number + 1 })
    peer.send(data(number + 2, bytes))
  }
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 4 })
  expect((await read).equals(Buffer.concat(['a', 'b', 'c'].map(block)))).toBe(true)
})

test('a server that refuses options is asked without them', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(tftpError(8))
  expect((await peer.request()).words.slice(0, -1)).toEqual(['image.bin', 'octet'])
  peer.send(data(1, Buffer.from('abc')))
  expect((await bytesOf(given(await opened))).toString()).toBe('abc')
})

test('a request that nobody answers is sent again, each time after twice as long', async () => {
  const { peer, clock, opened } = await ask()
  await peer.request()
  for (const ms of [1_000, 2_000, 4_000, 8_000, 8_000]) {
    await clock.advance(ms - 1)
    expect(peer.requests()).toBe(0)
    await clock.advance(1)
    expect(await peer.request()).toMatchObject({ opcode: READ_REQUEST })
  }
  peer.send(data(1, Buffer.from('late')))
  expect((await bytesOf(given(await opened))).toString()).toBe('late')
})

test('an acknowledgement that is lost is sent again in time', async () => {
  const { peer, clock, opened } = await ask()
  await peer.request()
  peer.send(data(1, block('a')))
  const read = bytesOf(given(await opened))
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  await clock.advance(1_000)
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  await clock.advance(2_000)
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  peer.send(data(2, Buffer.from('b')))
  expect((await read).equals(Buffer.concat([block('a'), Buffer.from('b')]))).toBe(true)
})

test('a block that comes twice counts once, and is not acknowledged twice', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(data(1, block('a')))
  const read = bytesOf(given(await opened))
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  for (let times = 0; times < 3; times++) peer.send(data(1, block('a')))
  peer.send(data(2, Buffer.from('b')))
  // A sorcerer's apprentice would have answered the others first.
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 2 })
  expect((await read).equals(Buffer.concat([block('a'), Buffer.from('b')]))).toBe(true)
  expect(peer.unseen()).toBe(0)
})

test('blocks that come out of order are asked for again, once', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(optionAcknowledgement({ blksize: 512, windowsize: 4 }))
  await peer.next()
  const read = bytesOf(given(await opened))
  const blocks = [...['a', 'b', 'c', 'd'].map(block), Buffer.from('end')]
  const send = (...numbers: readonly number[]): void => {
    for (const number of numbers) peer.send(data(number, blocks[number - 1] ?? Buffer.alloc(0)))
  }
  send(1, 3, 4)
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  send(2, 3, 4, 5)
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 5 })
  expect((await read).equals(Buffer.concat(blocks))).toBe(true)
  expect(peer.unseen()).toBe(0)
})

test('a window whose end is lost is acknowledged as far as it came, in time', async () => {
  const { peer, clock, opened } = await ask()
  await peer.request()
  peer.send(optionAcknowledgement({ blksize: 512, windowsize: 4 }))
  await peer.next()
  const remote = given(await opened)
  peer.send(data(1, block('a')))
  const chunks = remote.body[Symbol.asyncIterator]()
  await chunks.next()
  await clock.advance(1_000)
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  peer.send(data(2, Buffer.alloc(0)))
  expect(await chunks.next()).toMatchObject({ done: true })
})

test('a server that does not wait is not listened to ahead of its window', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  for (const number of [1, 2, 3]) peer.send(data(number, block(String(number))))
  // By then it has seen them all.
  peer.sendStrange(data(1, block('x')))
  await peer.strange()
  const read = bytesOf(given(await opened))
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 1 })
  peer.send(data(2, block('2')))
  expect(await peer.next()).toMatchObject({ opcode: ACK, number: 2 })
  peer.send(data(3, Buffer.from('3')))
  expect((await read).toString()).toBe(`${'1'.repeat(512)}${'2'.repeat(512)}3`)
})

test('what comes from another port is answered with an error, and disturbs nothing', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(data(1, block('a')))
  const read = bytesOf(given(await opened))
  await peer.next()
  peer.sendStrange(tftpError(1))
  peer.sendStrange(data(2, Buffer.from('evil')))
  expect(await peer.strange()).toMatchObject({ opcode: ERROR, number: 5 })
  peer.send(data(2, Buffer.from('good')))
  expect((await read).toString()).toBe(`${'a'.repeat(512)}good`)
})

test('block numbers begin again at 0 after 65535', async () => {
  const image = randomBytes(8 * 70_000 + 3)
  const { peer, opened } = await ask()
  const served = serveTftp(peer, image, { blockBytes: 8 })
  expect((await bytesOf(given(await opened))).equals(image)).toBe(true)
  await served
}, 60_000)

test.each([
  [0, '', 'interrupted'],
  [0, 'No such file or directory', 'missing'],
  [0, 'Permission denied', 'unauthorized'],
  [1, '', 'missing'],
  [2, '', 'unauthorized'],
  [3, 'No such file', 'interrupted'],
  [7, '', 'interrupted'],
])('error %i (%s) of the server means: %s', async (code, words, kind) => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(tftpError(code, words))
  expect(await opened).toMatchObject({ ok: false, problem: { kind } })
})

test.each([
  ['larger blocks than were asked for', { blksize: 1_429 }],
  ['blocks of no size', { blksize: 0 }],
  ['a larger window than was asked for', { windowsize: 17 }],
  ['a window of nothing', { windowsize: 0 }],
])('a server that offers %s is refused', async (_what, options) => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(optionAcknowledgement(options))
  expect(await opened).toEqual({ ok: false, problem: { kind: 'wrong-protocol' } })
  expect(await peer.next()).toMatchObject({ opcode: ERROR, number: 8 })
})

test.each([
  ['one byte', Buffer.from([0])],
  ['a request', Buffer.from('\0\x01image.bin\0octet\0')],
  ['a block without a number', Buffer.from([0, 3])],
  ['words', Buffer.from('220 ready')],
])('a server that answers with %s speaks something else', async (_what, packet) => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(packet)
  expect(await opened).toEqual({ ok: false, problem: { kind: 'wrong-protocol' } })
})

test('an image of another size than announced is not whole', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(optionAcknowledgement({ tsize: 10 }))
  await peer.next()
  peer.send(data(1, Buffer.from('short')))
  expect(await problemIn(given(await opened))).toMatchObject({ kind: 'interrupted' })
})

test('a server whose image is left is told so', async () => {
  const { peer, opened } = await ask()
  await peer.request()
  peer.send(data(1, block('a')))
  await given(await opened)
    .body[Symbol.asyncIterator]()
    .return?.()
  expect(await peer.next()).toMatchObject({ opcode: ERROR, number: 0 })
})

test('does not go where it may not', async () => {
  const peer = await startTftpPeer()
  const source = async () => ({ uri: peer.uri, connections: () => 0 })
  const { fetch } = await started(source, 'serves', { policy: () => false })
  const problem = { kind: 'address-refused', address: '127.0.0.1' }
  expect(await fetch({})).toEqual({ ok: false, problem })
  expect(peer.requests()).toBe(0)
})

test.each(['/', '/%00'])('%s is no file', async (path) => {
  const { opened } = await ask(path)
  expect(await opened).toEqual({ ok: false, problem: { kind: 'missing' } })
})

const TFTPD = '/usr/sbin/in.tftpd'
/** It changes its root and its user. */
const hasTftpd = existsSync(TFTPD) && process.getuid?.() === 0

describe.skipIf(!hasTftpd)(`tftpd-hpa${hasTftpd ? '' : ' (skipped: no tftpd-hpa here, or not root)'}`, () => {
  async function startTftpd(image: Uint8Array): Promise<string> {
    const folder = await temporaryFolder()
    await chmod(folder, 0o755)
    await writeFile(join(folder, 'image.bin'), image, { mode: 0o644 })
    await writeFile(join(folder, 'secret.bin'), image, { mode: 0o600 })
    const port = await freePort()
    const options = ['--foreground', '--address', `127.0.0.1:${port}`, '--secure', folder]
    const server = spawn(TFTPD, options, { stdio: 'ignore' })
    onTestFinished(() => void server.kill())
    return `tftp://127.0.0.1:${port}`
  }

  test.each([
    ['nothing', 0],
    ['exactly one block', 1_428],
    ['many windows', 5_000_001],
  ])(
    'gives an image of %s',
    async (_what, size) => {
      const image = randomBytes(size)
      const uri = new URL(`${await startTftpd(image)}/image.bin`)
      const source = async () => ({ uri, connections: () => 0 })
      const { fetch } = await started(source, 'serves', { clock: systemClock })
      const remote = given(await fetch({}))
      expect(remote.sizeBytes).toBe(size)
      expect((await bytesOf(remote)).equals(image)).toBe(true)
    },
    30_000,
  )

  test('tells what is missing, and what may not be read', async () => {
    const origin = await startTftpd(randomBytes(10))
    const source = async () => ({ uri: new URL(origin), connections: () => 0, identity: noIdentity })
    const { fetch } = await started(source, 'serves', { clock: systemClock })
    const problem = { kind: 'missing' }
    expect(await fetch({ uri: new URL(`${origin}/none.bin`) })).toEqual({ ok: false, problem })
    expect(await fetch({ uri: new URL(`${origin}/secret.bin`) })).toMatchObject({
      ok: false,
      problem: { kind: 'unauthorized' },
    })
  }, 30_000)
})

async function freePort(): Promise<number> {
  const nobody = createSocket('udp4').bind(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address()
  nobody.close()
  await once(nobody, 'close')
  return port
}
