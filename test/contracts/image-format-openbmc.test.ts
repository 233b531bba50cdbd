import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { ImageOrder } from '../../src/image/build/builder.ts'
import { openbmcBuilder } from '../../src/image/build/openbmc.ts'
import { type TarEntry, tarOf, textEntry } from '../../src/image/build/tar-file.ts'
import { openbmc } from '../../src/image/formats/openbmc.ts'
import { inspectImage, type InspectOptions } from '../../src/image/inspect.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Defect, imageFormatContract, open, pattern, readAll } from './image-format.ts'

const purposeName = 'xyz.openbmc_project.Software.Version.VersionPurpose'
const pair = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const key = { name: 'OpenBMC', pem: privateKey() }
const order = {
  name: 'BMC-Primary',
  softwareId: 'id-of-bmc',
  version: '2.4.0',
  sizeBytes: 5_000,
  identity: { openbmc: { machineName: 'rackmount', purpose: 'BMC' } },
}

imageFormatContract('OpenBMC tarball', {
  format: openbmc,
  maxComponents: 1,
  isWhole: true,
  build: (components) =>
    made({
      key,
      components: components.map(({ name, version, firmware }) => ({
        ...order,
        name,
        version,
        sizeBytes: firmware.length,
        bytes: () => [firmware],
      })),
    }),
  expected: ({ version }) => ({
    name: 'BMC',
    version,
    fits: { kind: 'openbmc', machineName: 'rackmount', purpose: 'BMC' },
  }),
  defects: [
    ...['manifest', 'purpose', 'version', 'missing-file', 'duplicate', 'path', 'link'].map(withDefect()),
    ...['truncate', 'trailing', 'missing-signature', 'key'].map(withDefect()),
    ...['signature'].map(withDefect('digest-mismatch')),
    {
      what: 'a bit of a signed file is flipped',
      image: async () => flip(await made({ key }), 600),
      problem: 'digest-mismatch',
    },
    {
      what: 'the MANIFEST says nothing of how it is signed',
      image: () => signedTar((text) => text.replace(/HashType=.*\n/, '')),
      problem: 'unreadable',
    },
    {
      what: 'the MANIFEST names a hash that nobody knows',
      image: () => signedTar((text) => text.replace('RSA-SHA256', 'constructor')),
      problem: 'unreadable',
    },
    {
      what: 'the signature of all signatures is of others',
      image: () => tar([...signed(), textEntry('image-full.sig', Buffer.alloc(256, 1))]),
      problem: 'digest-mismatch',
    },
    {
      what: 'only the key is not signed',
      image: () => tar(signed().filter(({ name }) => name !== 'publickey.sig')),
      problem: 'unreadable',
    },
    {
      what: 'a signature is larger than any',
      image: () => tar([...signed(), textEntry('image-more.sig', Buffer.alloc(4_097))]),
      problem: 'unreadable',
    },
    {
      what: 'it has more files than anybody needs',
      image: () => tar([...plainFiles(), ...Array.from({ length: 64 }, (_, at) => file(`image-${at}`, 1))]),
      problem: 'unreadable',
    },
  ],
})

describe('a tarball', () => {
  test.each<[string, (right: readonly TarEntry[]) => readonly TarEntry[]]>([
    ['first', (right) => [...right.slice(-1), ...right.slice(0, -1)]],
    ['last', (right) => right],
    ['in the middle', (right) => [...right.slice(0, 2), ...right.slice(-1), ...right.slice(2, -1)]],
  ])('may have its MANIFEST %s', async (_where, sorted) => {
    const read = await readAll(open(openbmc), await tar(sorted(plainFiles())))
    expect(read).toMatchObject({ ok: true, value: { components: [{ version: '1.0' }], signatures: [] } })
  })

  test.each([
    ['with lines that end as on other systems', manifest().replaceAll('\n', '\r\n'), { version: '1.0' }],
    ['that says a thing twice: the first counts', `${manifest()}version=2.0\n`, { version: '1.0' }],
    ['whose version holds what else separates', manifest({ version: 'a=b' }), { version: 'a=b' }],
    [
      'that names no machine: it is for any',
      manifest({ MachineName: '' }),
      { fits: { kind: 'openbmc', machineName: undefined, purpose: 'BMC' } },
    ],
    [
      'for a host, of which other parts are made',
      manifest({ purpose: `${purposeName}.Host` }),
      { name: 'Host', fits: { kind: 'openbmc', machineName: 'rackmount', purpose: 'Host' } },
    ],
    [
      'with a purpose that OpenBMC does not know',
      manifest({ purpose: 'something else' }),
      { name: 'Unknown', fits: { kind: 'openbmc', machineName: 'rackmount', purpose: 'Unknown' } },
    ],
  ])('may have a MANIFEST %s', async (_what, text, component) => {
    const read = await readAll(open(openbmc), await tar([...plainFiles().slice(0, -1), textFile(text)]))
    expect(read).toMatchObject({ ok: true, value: { components: [component] } })
  })

  test('may hold a flash in one, and needs all its parts otherwise', async () => {
    const whole = await tar([file('image-bmc', 900), textFile(manifest())])
    expect(await readAll(open(openbmc), whole)).toMatchObject({ ok: true })
    const half = await tar([file('image-kernel', 900), file('image-rofs', 900), textFile(manifest())])
    expect(await readAll(open(openbmc), half)).toMatchObject({ ok: false })
  })

  test.each(['RSA-SHA256', 'RSA-SHA512'])(
    'with %s is vouched for by what a machine has to know',
    async (hash) => {
      const read = await readAll(open(openbmc), await made({ key, options: { hash } }))
      const name = hash === 'RSA-SHA256' ? 'sha256' : 'sha512'
      const digest = expect.stringMatching(name === 'sha256' ? /^\w{64}$/ : /^\w{128}$/) as string
      const signature = { form: 'rsa-pkcs1', keyName: 'OpenBMC', signed: { hash: name, digest } }
      expect(read).toMatchObject({ ok: true, value: { signatures: [signature, signature] } })
    },
  )

  test('is signed as OpenSSL signs, whatever comes first', async () => {
    for (const files of [signed(), signed().toReversed()])
      expect(await readAll(open(openbmc), await tar(files), 700)).toMatchObject({
        ok: true,
        value: { signatures: [{ form: 'rsa-pkcs1' }, { form: 'rsa-pkcs1' }] },
      })
  })

  test.each([
    ['a private key', key.pem],
    ['an elliptic curve’s', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)],
    ['too weak', pemOf(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey)],
  ])('is not taken whose key is %s', async (_what, pem) => {
    const files = signed().map((one) =>
      one.name === 'publickey' ? textEntry('publickey', Buffer.from(pem)) : one,
    )
    expect(await readAll(open(openbmc), await tar(files))).toMatchObject({
      ok: false,
      problem: { kind: 'unreadable', detail: expect.stringContaining('publickey') as string },
    })
  })
})

describe('a compressed tarball', () => {
  test.each([1, 512, 60_000, Infinity])('is read when it comes in chunks of %d bytes', async (size) => {
    const plain = await made({ key })
    const read = await readAll(reader(), gzipSync(plain), size)
    expect(read).toMatchObject({
      ok: true,
      value: {
        encoding: 'gzip',
        components: [{ start: 0, sizeBytes: plain.length, sha256: sha256(plain) }],
      },
    })
  })

  test('may come in several parts', async () => {
    const plain = await made({})
    const parts = Buffer.concat([gzipSync(plain.subarray(0, 700)), gzipSync(plain.subarray(700))])
    for (const size of [1, Infinity])
      expect(await readAll(reader(), parts, size)).toMatchObject({
        ok: true,
        value: { components: [{ sizeBytes: plain.length }] },
      })
  })

  test.each<[string, (whole: Buffer) => Buffer]>([
    ['is cut', (whole) => whole.subarray(0, -1)],
    ['is damaged', (whole) => flip(whole, whole.length - 6)],
    ['is followed by something', (whole) => Buffer.concat([whole, Buffer.from('more')])],
    ['is followed by zeros', (whole) => Buffer.concat([whole, Buffer.alloc(2_000)])],
    // What zlib of Node throws at nobody in particular.
    ['is followed by zeros and one more', (whole) => Buffer.concat([whole, Buffer.alloc(100), whole])],
    ['is compressed once more', (whole) => gzipSync(whole)],
  ])('is not taken that %s', async (_what, spoil) => {
    const whole = gzipSync(await made({}))
    for (const size of [1, 64, Infinity])
      expect(await readAll(reader(), spoil(whole), size)).toMatchObject({ ok: false })
  })

  test('is not taken that is larger than an image may be', async () => {
    const plain = await made({})
    expect(await readAll(reader({ maxBytes: plain.length }), gzipSync(plain))).toMatchObject({ ok: true })
    expect(await readAll(reader({ maxBytes: plain.length - 1 }), gzipSync(plain))).toMatchObject({
      ok: false,
      problem: { kind: 'unreadable' },
    })
  })

  test('does not unpack more than an image may have', async () => {
    const bomb = await made({ defect: 'bomb' })
    const read = await readAll(reader({ maxBytes: 2 ** 20 }), bomb, 2 ** 16)
    expect(read).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
  })

  test.each([
    ['xz', 'fd377a585a000000'],
    ['zstd', '28b52ffd00000000'],
    ['bzip2', '425a683931415926535900'],
  ])('by %s is refused by that name', async (name, head) => {
    const image = Buffer.concat([Buffer.from(head, 'hex'), pattern(2_000, 1)])
    const problem = { kind: 'unreadable', detail: expect.stringContaining(name) as string }
    expect(await readAll(reader(), image)).toMatchObject({ ok: false, problem })
    expect(await readAll(reader(), gzipSync(image))).toMatchObject({ ok: false, problem })
  })
})

describe('the builder of tarballs', () => {
  test('makes the same bytes every time', async () => {
    for (const options of [{}, { gzip: 'true' }])
      expect((await made({ options })).equals(await made({ options }))).toBe(true)
  })

  test('puts the component’s bytes into the parts of a flash, one after the other', async () => {
    const firmware = pattern(5_000, 3)
    const image = await made({ components: [{ ...order, bytes: () => [firmware] }] })
    const names = ['image-u-boot', 'image-kernel', 'image-rofs', 'image-rwfs']
    const parts = names.map((name) => {
      const header = image.indexOf(`${name}\0`)
      const size = Number.parseInt(image.toString('latin1', header + 124, header + 135), 8)
      return image.subarray(header + 512, header + 512 + size)
    })
    expect(Buffer.concat(parts).equals(firmware)).toBe(true)
  })

  test.each<[string, Partial<ImageOrder>]>([
    ['no component', { components: [] }],
    ['two components', { components: [order, order] }],
    ['a component that takes none', { components: [{ ...order, identity: {} }] }],
    ['a hash that nobody knows', { options: { hash: 'MD5' } }],
    ['a defect that nobody knows', { defect: 'constructor' }],
    ['a wrong signature without a key', { defect: 'signature' }],
  ])('takes no order of %s', (_what, wrong) => {
    expect(() => openbmcBuilder.build({ components: [order], ...wrong })).toThrow(Error)
  })
})

function reader(options: InspectOptions = {}) {
  return inspectImage(createDigests(systemClock), options)
}

function made(more: Partial<ImageOrder>): Promise<Buffer> {
  return buffer(openbmcBuilder.build({ components: [order], ...more }))
}

function withDefect(problem: Defect['problem'] = 'unreadable'): (name: string) => Defect {
  return (defect) => ({
    what: openbmcBuilder.defects[defect]?.what ?? '',
    image: () => made({ key, defect }),
    problem,
  })
}

function tar(files: readonly TarEntry[]): Promise<Buffer> {
  return buffer(tarOf(files))
}

function file(name: string, sizeBytes: number): TarEntry {
  return textEntry(name, pattern(sizeBytes, sizeBytes))
}

function textFile(text: string): TarEntry {
  return textEntry('MANIFEST', Buffer.from(text))
}

function manifest(changes: Readonly<Record<string, string>> = {}): string {
  const right = { purpose: `${purposeName}.BMC`, version: '1.0', MachineName: 'rackmount' }
  return Object.entries({ ...right, ...changes })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function plainFiles(): TarEntry[] {
  const parts = ['image-u-boot', 'image-kernel', 'image-rofs', 'image-rwfs']
  return [...parts.map((name, index) => file(name, index * 700)), textFile(manifest())]
}

/** As a build of OpenBMC signs it, by node:crypto alone. */
function signed(change = (text: string): string => text): TarEntry[] {
  const { publicKey, privateKey: secret } = pair
  const text = change(manifest({ KeyType: 'OpenBMC', HashType: 'RSA-SHA256' }))
  const files = [
    ...plainFiles().slice(0, -1),
    textFile(text),
    textEntry('publickey', Buffer.from(pemOf(publicKey))),
  ]
  return [
    ...files,
    ...files.map(({ name, bytes }) =>
      textEntry(`${name}.sig`, sign('sha256', Buffer.concat([...(bytes() as Iterable<Uint8Array>)]), secret)),
    ),
  ]
}

function signedTar(change: (text: string) => string): Promise<Buffer> {
  return tar(signed(change))
}

function privateKey(): string {
  const { privateKey: secret } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return secret.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function pemOf(publicKey: typeof pair.publicKey): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

function flip(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ 1
  return copy
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
