import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, pushParts } from '../support/multipart.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })
const digest = (bytes: Buffer, algorithm = 'sha256') => createHash(algorithm).update(bytes).digest('base64')
const other = digest(Buffer.from('another body'))

describe.each([
  { way: 'raw', url: uris.rawPush, request: { headers: {}, body: image } },
  { way: 'multipart', url: uris.multipartPush, request: multipartBody(pushParts(image)) },
])('a $way push', ({ url, request: { headers, body } }) => {
  const push = async (announced: Record<string, string>) => {
    const emulator = await startEmulator()
    const answer = await emulator.send(url, { method: 'POST', body, headers: { ...headers, ...announced } })
    return { emulator, ...answer }
  }

  test.each([
    ['none', {}],
    ['its own', { 'Content-Digest': `sha-256=:${digest(body)}:` }],
    [
      'its own, twice',
      { 'Content-Digest': `sha-256=:${digest(body)}:,  sha-512=:${digest(body, 'sha512')}:` },
    ],
    ['that of the representation', { 'Repr-Digest': `sha-512=:${digest(body, 'sha512')}:` }],
    ['one with a parameter', { 'Content-Digest': `sha-256=:${digest(body)}:;a=b` }],
    ['nothing at all', { 'Content-Digest': '' }],
    ['one with a comma in quotes', { 'Content-Digest': `sha-256=:${digest(body)}:;a="b, c", x=1` }],
    ['one of an algorithm that nobody knows', { 'Content-Digest': `md5=:${other}:, unixsum=:AAA=:` }],
  ])('whose header announces a digest is taken where it is %s', async (_what, announced) => {
    const { status, emulator } = await push(announced)
    expect(status).toBe(202)
    await emulator.clock.advance(120_000)
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
  })

  test.each([
    ['that of another body', { 'Content-Digest': `sha-256=:${other}:` }, ['Content-Digest']],
    ['half of it', { 'Content-Digest': `sha-256=:${digest(body).slice(0, 20)}:` }, ['Content-Digest']],
    [
      'right once and wrong once',
      { 'Content-Digest': `sha-256=:${digest(body)}:, sha-512=:${other}:` },
      ['Content-Digest'],
    ],
    [
      'wrong for both fields',
      { 'Content-Digest': `sha-256=:${other}:`, 'Repr-Digest': `sha-256=:${other}:` },
      ['Content-Digest', 'Repr-Digest'],
    ],
  ])('is refused where the digest is %s, and nothing of it stays', async (_what, announced, wrong) => {
    const { status, json, emulator } = await push(announced)
    expect({ status, keys: messageKeys(json) }).toEqual({
      status: 400,
      keys: wrong.map(() => 'AnnouncedDigestMismatch'),
    })
    expect(emulator.spool.entries.size).toBe(0)
    expect(emulator.bmc.state.tasks.size).toBe(0)
  })

  test.each([
    'sha-256',
    'sha-256=abc',
    `sha-256=:${other}`,
    'sha-256=:a b:',
    `=:${other}:`,
    `sha-256=:${other}:x`,
    `sha-256=:${other}:,`,
    'x="',
  ])('is refused where its header cannot be read: %j', async (field) => {
    const { status, json } = await push({ 'Content-Digest': field })
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['HeaderInvalid'] })
  })

  test.each([
    ['gzip', 415],
    ['identity', 202],
  ])('whose body is encoded, %s, is answered %d', async (coding, expected) => {
    const { status, json } = await push({ 'Content-Encoding': coding })
    expect(status).toBe(expected)
    expect(messageKeys(json)).toEqual(expected === 415 ? ['HeaderInvalid'] : [])
  })
})
