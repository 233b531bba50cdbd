import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { buildBundle, bundleBuilder } from '../../src/image/build/bundle.ts'
import { bundle, CMS_NAME, SIGNATURE_NAME } from '../../src/image/formats/bundle.ts'
import { inspectImage } from '../../src/image/inspect.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'
import {
  type ComponentInImage,
  type Defect,
  imageFormatContract,
  open,
  pattern,
  readAll,
} from './image-format.ts'

interface Entry {
  readonly name: string
  readonly body: Buffer
  readonly type?: 'file' | 'directory' | 'symlink'
}

const firmware = pattern(40_000, 5)
const listed = {
  name: 'NIC-1',
  softwareId: 'id-of-nic',
  version: '1.0',
  file: 'nic.bin',
  sha256: createHash('sha256').update(firmware).digest('hex'),
  size: firmware.length,
}
const nic: Entry = { name: 'nic.bin', body: firmware }
/** Where the second entry's header begins: after the manifest's header and its one block. */
const SECOND_HEADER = 1_024

const withComponents = (...components: readonly unknown[]): Entry => manifest({ bundle: 1, components })
const good = withComponents(listed)

const cms: Entry = { name: CMS_NAME, body: pattern(100, 7) }
const bare: Entry = { name: SIGNATURE_NAME, body: pattern(64, 7) }
const keyed = manifest({ bundle: 1, signature: { form: 'ed25519', key: 'release' }, components: [listed] })
/** What would clear a terminal, if it came there. */
const ESCAPE = '\u001b[2J'

const defects: readonly Defect[] = [
  { what: 'the first entry is not the manifest', image: () => tar([nic, good]), problem: 'unreadable' },
  { what: 'the manifest is not JSON', image: () => tar([manifest('{'), nic]), problem: 'unreadable' },
  {
    what: 'the manifest is of another version',
    image: () => tar([manifest({ bundle: 2, components: [listed] }), nic]),
    problem: 'unreadable',
  },
  { what: 'the manifest lists nothing', image: () => tar([withComponents()]), problem: 'unreadable' },
  {
    what: 'the manifest has a member that nobody knows',
    image: () => tar([withComponents({ ...listed, signed: true }), nic]),
    problem: 'unreadable',
  },
  {
    what: 'the manifest leaves out a version',
    image: () => tar([withComponents({ ...listed, version: undefined }), nic]),
    problem: 'unreadable',
  },
  {
    what: 'the manifest gives a digest that is none',
    image: () => tar([withComponents({ ...listed, sha256: 'abc' }), nic]),
    problem: 'unreadable',
  },
  {
    what: 'the manifest gives a release date that is none',
    image: () => tar([withComponents({ ...listed, releaseDate: 'yesterday' }), nic]),
    problem: 'unreadable',
  },
  {
    what: 'two components have the same SoftwareId',
    image: () => tar([withComponents(listed, { ...listed, name: 'NIC-2' }), nic]),
    problem: 'unreadable',
  },
  { what: 'a file is missing', image: () => tar([good]), problem: 'unreadable' },
  {
    what: 'a file is not listed',
    image: () => tar([good, nic, { ...nic, name: 'more.bin' }]),
    problem: 'unreadable',
  },
  { what: 'a file is there twice', image: () => tar([good, nic, nic]), problem: 'unreadable' },
  { what: 'the manifest is there twice', image: () => tar([good, good, nic]), problem: 'unreadable' },
  { what: 'it has two CMS signatures', image: () => tar([good, cms, cms, nic]), problem: 'unreadable' },
  { what: 'it has two bare signatures', image: () => tar([keyed, bare, bare, nic]), problem: 'unreadable' },
  { what: 'its signature comes last', image: () => tar([good, nic, cms]), problem: 'unreadable' },
  { what: 'nobody says whose its signature is', image: () => tar([good, bare, nic]), problem: 'unreadable' },
  {
    what: 'the manifest is not in UTF-8',
    image: () => {
      const body = Buffer.from(good.body)
      body[body.indexOf('NIC-1')] = 0xff
      return tar([{ ...good, body }, nic])
    },
    problem: 'unreadable',
  },
  ...['name', 'softwareId', 'version', 'releaseDate'].map((member): Defect => ({
    what: `there is a control character in the ${member}`,
    image: () =>
      tar([
        withComponents({
          ...listed,
          // A tab between the day and the time is what the format itself would let pass.
          [member]: member === 'releaseDate' ? '2026-01-02\t03:04:05Z' : `1${ESCAPE}`,
        }),
        nic,
      ]),
    problem: 'unreadable',
  })),
  {
    what: 'there is a control character in the name of the machine',
    image: () => tar([manifest({ bundle: 1, machine: `m\u009b2J`, components: [listed] }), nic]),
    problem: 'unreadable',
  },
  {
    what: 'an entry is a folder',
    image: () => tar([good, { name: 'folder', body: Buffer.alloc(0), type: 'directory' }, nic]),
    problem: 'unreadable',
  },
  {
    what: 'an entry is a link',
    image: () => tar([good, { name: 'nic.bin', body: Buffer.alloc(0), type: 'symlink' }]),
    problem: 'unreadable',
  },
  {
    what: 'a file is a byte shorter than listed',
    image: () => tar([good, { ...nic, body: firmware.subarray(1) }]),
    problem: 'unreadable',
  },
  {
    what: 'a file is a byte longer than listed',
    image: () => tar([good, { ...nic, body: pattern(firmware.length + 1, 5) }]),
    problem: 'unreadable',
  },
  {
    what: 'a bit of the firmware is flipped',
    image: () => flipped(SECOND_HEADER + 512 + 20_000),
    problem: 'digest-mismatch',
  },
  {
    what: 'a bit of a tar header is flipped',
    image: () => flipped(SECOND_HEADER + 3),
    problem: 'unreadable',
  },
  {
    what: 'noise follows the manifest',
    image: async () => Buffer.concat([(await tar([good])).subarray(0, SECOND_HEADER), pattern(200_000, 8)]),
    problem: 'unreadable',
  },
]

imageFormatContract('update bundle', {
  format: bundle,
  build,
  defects,
  expected: ({ name, version }) => ({
    name,
    version,
    fits: { kind: 'software', softwareId: `id-of-${name}` },
  }),
})

describe('a manifest', () => {
  // The limit is about the entry; what fills it is white space, which JSON allows.
  const padded = (sizeBytes: number): Entry => ({
    ...good,
    body: Buffer.concat([good.body, Buffer.alloc(sizeBytes - good.body.length, ' ')]),
  })

  test('of 1 MiB is read', async () => {
    expect(await readAll(open(bundle), await tar([padded(2 ** 20), nic]))).toMatchObject({ ok: true })
  })

  test('that is a byte larger is not', async () => {
    const read = await readAll(open(bundle), await tar([padded(2 ** 20 + 1), nic]))
    expect(read).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
  })

  test('may list a component of no bytes', async () => {
    const none = { ...listed, size: 0, sha256: createHash('sha256').digest('hex') }
    const read = await readAll(
      open(bundle),
      await tar([withComponents(none), { ...nic, body: Buffer.alloc(0) }]),
    )
    expect(read).toMatchObject({ ok: true, value: { components: [{ name: 'NIC-1', sizeBytes: 0 }] } })
  })

  test('tells when a component was released, and what it requires', async () => {
    const more = { releaseDate: '2026-01-02T03:04:05Z', requires: [{ component: 'BIOS', min: '1.2' }] }
    const read = await readAll(open(bundle), await tar([withComponents({ ...listed, ...more }), nic]))
    expect(read).toMatchObject({ ok: true, value: { components: [more] } })
  })
})

describe('a bundle', () => {
  test('may have a signature of each kind before its components', async () => {
    const read = await readAll(open(bundle), await tar([keyed, cms, bare, nic]))
    expect(read).toMatchObject({ ok: true, value: { signatures: [{ form: 'cms' }, { form: 'ed25519' }] } })
  })

  test('may say everything in any script', async () => {
    const said = { name: 'Netzwerkkarte №1 \u{1f4be}', version: '版本 1' }
    const read = await readAll(open(bundle), await tar([withComponents({ ...listed, ...said }), nic]))
    expect(read).toMatchObject({ ok: true, value: { components: [said] } })
  })

  test.each([
    ['is not listed', { ...nic, name: 'more.bin' }],
    ['is there a second time', nic],
    ['is a second signature', cms],
  ])('is given up at the header of a file that %s', async (_what, file) => {
    const whole = await tar([good, cms, nic, file])
    const before = await tar([good, cms, nic])
    // Where the end begins: two blocks of zeros.
    const header = before.length - 1_024
    // Had it waited for the file's bytes, or for the end, it would find that they are missing.
    const read = await readAll(open(bundle), whole.subarray(0, header + 512))
    expect(read).toMatchObject({
      problem: { kind: 'unreadable', detail: expect.stringMatching(/twice|not in its/) as string },
    })
  })

  const renamed = { ...nic, name: 'old.bin' }
  test.each<[string, readonly Entry[], RegExp]>([
    ['a file that is missing', [good], /^nic\.bin is missing$/],
    ['a file of another name', [good, renamed], /^nic\.bin is missing: old\.bin is not in/],
    ['a file too many', [good, nic, renamed], /^old\.bin is not in/],
    ['another version', [manifest({ bundle: 2, components: [listed] })], /^\/bundle of .* must be 1$/],
    ['nothing that it lists', [manifest({ bundle: 1 })], /^\/components of .* is missing$/],
    ['a manifest that is a list', [manifest([])], /^its manifest must be of the type object$/],
    [
      'two mistakes',
      [withComponents({ ...listed, size: -1, version: 1 })],
      /\/version of .* type string; .*\/size of .* >= 0$/,
    ],
    ['what would steer a terminal', [withComponents({ ...listed, name: ESCAPE })], /no control characters$/],
    ['a member that would steer one', [withComponents({ ...listed, [ESCAPE]: 1 })], /^\P{Cc}+ is nothing/u],
  ])('says what is wrong with it: %s', async (_what, entries, detail) => {
    expect(await readAll(open(bundle), await tar(entries))).toMatchObject({
      problem: { detail: expect.stringMatching(detail) as string },
    })
  })
})

describe('the reader of any image', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['less than a head', Buffer.from('short')],
    ['noise', pattern(100_000, 6)],
  ])('knows no format for %s', async (_what, bytes) => {
    expect(await readAll(inspectImage(createDigests(systemClock)), bytes, 513)).toEqual({
      ok: false,
      problem: { kind: 'unknown-format' },
    })
  })

  test.each([1, 511, 512, 513, Infinity])(
    'finds the format whatever the chunks are: %d bytes',
    async (size) => {
      const image = await tar([good, nic])
      expect(await readAll(inspectImage(createDigests(systemClock)), image, size)).toMatchObject({
        ok: true,
        value: { format: 'VendorDefined', components: [{ name: 'NIC-1' }] },
      })
    },
  )

  test('can be abandoned before and after it knows the format', async () => {
    const image = await tar([good, nic])
    for (const length of [0, 100, 20_000]) {
      const reader = inspectImage(createDigests(systemClock))
      await reader.write(image.subarray(0, length))
      reader.abandon()
      expect(await reader.write(image.subarray(length))).toBeUndefined()
    }
  })
})

test('a bundle of made-up firmware is the same every time, and another for another version', async () => {
  const one = { name: 'NIC-1', softwareId: 'id', version: '1', sizeBytes: 300_000 }
  const make = (version: string): Promise<Buffer> => buffer(buildBundle([{ ...one, version }]))
  const [first, again, other] = [await make('1'), await make('1'), await make('2')]
  expect(first.equals(again)).toBe(true)
  expect(first.equals(other)).toBe(false)
  expect(await readAll(open(bundle), first)).toMatchObject({
    ok: true,
    value: { components: [{ name: 'NIC-1', version: '1', sizeBytes: 300_000 }] },
  })
})

test('a bundle is made of components of any names, long and strange ones too', async () => {
  const names = ['../../a b', '\u{1f4be}'.repeat(90), `${'x'.repeat(190)}1`, `${'x'.repeat(190)}2`]
  const orders = names.map((name) => ({ name, softwareId: `id of ${name}`, version: '1', sizeBytes: 700 }))
  const read = await readAll(open(bundle), await buffer(buildBundle(orders)))
  expect(read).toMatchObject({ ok: true, value: { components: names.map((name) => ({ name })) } })
})

test('a bundle that nobody signs cannot have a wrong signature', () => {
  expect(() => bundleBuilder.build({ components: [], defect: 'signature' })).toThrow('nothing is signed')
})

function manifest(content: unknown): Entry {
  const body = typeof content === 'string' ? content : JSON.stringify(content)
  return { name: 'manifest.json', body: Buffer.from(body) }
}

function tar(entries: readonly Entry[]): Promise<Buffer> {
  const packed = pack()
  for (const { name, body, type = 'file' } of entries)
    packed.entry({ name, type, ...(type === 'symlink' && { linkname: '/etc/passwd' }) }, body)
  packed.finalize()
  return buffer(packed as AsyncIterable<Uint8Array>)
}

function build(components: readonly ComponentInImage[]): Promise<Buffer> {
  return tar([
    withComponents(
      ...components.map(({ name, version, firmware: body }) => ({
        name,
        softwareId: `id-of-${name}`,
        version,
        file: `${name}.bin`,
        size: body.length,
        sha256: createHash('sha256').update(body).digest('hex'),
      })),
    ),
    ...components.map(({ name, firmware: body }) => ({ name: `${name}.bin`, body })),
  ])
}

async function flipped(offset: number): Promise<Buffer> {
  const image = await tar([good, nic])
  image[offset] = (image[offset] ?? 0) ^ 1
  return image
}
