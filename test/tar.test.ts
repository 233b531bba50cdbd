import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { inspectImage } from '../src/image/inspect.ts'
import { createDigests } from '../src/image/digests/stream-digests.ts'
import { systemClock } from '../src/lib/clock.ts'
import { pattern, readAll } from './contracts/image-format.ts'
import { paxHeader, paxRecord, tarBlock, tarEnd, tarFile } from './support/tar-blocks.ts'

/** A file of a tar, written in a way of one's own. */
type Write = (name: string, body: Buffer) => Buffer

const firmware = pattern(1_300, 5)

/** Images in which one file is written so, and whatever `end` is follows. */
const images: Readonly<Record<string, (write: Write, end: Buffer, name?: string) => Buffer>> = {
  bundle: (write, end, name = 'nic.bin') => {
    const sha256 = createHash('sha256').update(firmware).digest('hex')
    const component = {
      name: 'NIC-1',
      softwareId: 'id',
      version: '1.0',
      file: name,
      sha256,
      size: firmware.length,
    }
    const manifest = Buffer.from(JSON.stringify({ bundle: 1, components: [component] }))
    return Buffer.concat([tarFile('manifest.json', manifest), write(name, firmware), end])
  },
  'OpenBMC tarball': (write, end, name = 'image-bmc') => {
    const lines = [
      'purpose=xyz.openbmc_project.Software.Version.VersionPurpose.BMC',
      'version=1.0',
      'MachineName=m',
    ]
    const manifest = tarFile('MANIFEST', Buffer.from(`${lines.join('\n')}\n`))
    const bmc = name === 'image-bmc' ? [] : [tarFile('image-bmc', firmware)]
    return Buffer.concat([manifest, ...bmc, write(name, firmware), end])
  },
}

function inspect(image: Buffer, size?: number) {
  return readAll(inspectImage(createDigests(systemClock)), image, size)
}

const withFields =
  (fields: (body: Buffer, name: string) => Parameters<typeof tarBlock>[0]): Write =>
  (name, body) =>
    tarFile(name, body, fields(body, name))
const after =
  (...before: readonly Buffer[]): Write =>
  (name, body) =>
    Buffer.concat([...before, tarFile(name, body)])
const paxed =
  (records: (name: string, body: Buffer) => Parameters<typeof paxHeader>[0], fields = {}): Write =>
  (name, body) =>
    Buffer.concat([paxHeader(records(name, body)), tarFile(name, body, fields)])
const binary = (size: bigint): Buffer => {
  const field = Buffer.alloc(12)
  field.writeUInt8(0x80, 0)
  field.writeBigUInt64BE(size, 4)
  return field
}
const longName = (name: string): Buffer =>
  tarFile('././@LongLink', Buffer.from(`${name}\0`), { type: 'L', magic: 'ustar  \0' })

const fine: readonly (readonly [string, Write])[] = [
  ['as POSIX has it', withFields(() => ({}))],
  ['as GNU has it', withFields(() => ({ magic: 'ustar  \0' }))],
  ['of the oldest type', withFields(() => ({ type: '\0' }))],
  ['with a size in binary', withFields((body) => ({ size: binary(BigInt(body.length)) }))],
  ['with a size of spaces and digits', withFields((body) => ({ size: ` ${body.length.toString(8)} ` }))],
  [
    'with a checksum of signed bytes',
    withFields((_, name) => ({ isSigned: true, linkName: '\u00fc', name })),
  ],
  ['below the folder of all', withFields((_, name) => ({ name: `./${name}` }))],
  ['with its name in an extended header', paxed((path) => ({ path }), { name: 'short' })],
  ['with its size in an extended header', paxed((_, { length }) => ({ size: String(length) }), { size: 0 })],
  ['with times in an extended header', paxed(() => ({ mtime: '1.5', 'SCHILY.xattr.user.a': 'b' }))],
  ['with a name in the way of GNU', (name, body) => Buffer.concat([longName(name), tarFile('short', body)])],
  ['behind a comment on all', after(paxHeader({ comment: 'abc' }, 'g'))],
  ['behind the folder of all', after(tarBlock({ name: './', type: '5' }))],
]

const tricks: readonly (readonly [string, Write])[] = [
  ...'1 2 3 4 5 6 7 S M N V D X K A'
    .split(' ')
    .map((type) => [`the type ${type}`, withFields(() => ({ type }))] as const),
  ['a folder of its own', after(tarBlock({ name: 'folder/', type: '5' }))],
  ['holes, as an extended header says', paxed(() => ({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }))],
  ['another file of its name', (name, body) => Buffer.concat([tarFile(name, body), tarFile(name, body)])],
  [
    'another file of its name, written otherwise',
    (name, body) => Buffer.concat([tarFile(name, body), tarFile(`./${name}`, body)]),
  ],
  ['an extended header that is huge', paxed(() => ({ comment: 'a'.repeat(2 ** 16) }))],
  ['an extended header that says it is huge', after(tarBlock({ type: 'x', size: 0o7_777_777 }))],
  ['an extended header that ends early', paxed(() => Buffer.from('30 path=a\n'))],
  ['an extended header without a length', paxed(() => Buffer.from(' path=a\n'))],
  ['an extended header with a length of zero', paxed(() => Buffer.from('0 path=a\n'))],
  ['an extended header with a length below its own', paxed(() => Buffer.from('2 path=a\n'))],
  ['an extended header without a key', paxed(() => Buffer.from('5 =a\n'))],
  [
    'an extended header without an end of line',
    paxed((name) => Buffer.from(paxRecord('path', name).toString().replace('\n', '!'))),
  ],
  [
    'an extended header that says it twice',
    paxed((name) => Buffer.concat([paxRecord('path', 'a'), paxRecord('path', name)])),
  ],
  ['an extended header in no known text', paxed(() => Buffer.from('9 path=\xff\n', 'latin1'))],
  ['an extended header with half a size', paxed(() => ({ size: '1.5' }))],
  ['an extended header with a negative size', paxed(() => ({ size: '-1' }))],
  ['an extended header with a size beyond all', paxed(() => ({ size: '9999999999999999' }))],
  ['two extended headers', after(paxHeader({ mtime: '1' }), paxHeader({ mtime: '1' }))],
  [
    'two names in two ways',
    (name, body) => Buffer.concat([paxHeader({ path: name }), longName('x'), tarFile(name, body)]),
  ],
  ['a name for all files', after(paxHeader({ path: 'image-bmc' }, 'g'))],
  ['a size for all files', after(paxHeader({ size: '1300' }, 'g'))],
  [
    'a name in the way of GNU without an end',
    after(tarFile('././@LongLink', Buffer.from('x'), { type: 'L' })),
  ],
  ['a size that is no number', withFields(() => ({ size: 'size' }))],
  ['a size that is negative', withFields(() => ({ size: '-0000000001' }))],
  ['a size that is negative in binary', withFields(() => ({ size: Buffer.alloc(12, 0xff) }))],
  [
    'a size in binary beyond all',
    withFields(() => ({ size: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0x7f)]) })),
  ],
  ['a size in binary beyond the end', withFields(() => ({ size: binary(2n ** 49n) }))],
  ['a size in octal beyond the end', withFields(() => ({ size: 0o77777777777 }))],
  ['a wrong checksum', withFields(() => ({ checksum: '001234\0 ' }))],
  ['no checksum', withFields(() => ({ checksum: '\0'.repeat(8) }))],
  ['no magic', withFields(() => ({ magic: '\0'.repeat(8) }))],
  ['a block of zeros before it', after(Buffer.alloc(512))],
  ['the end before it', after(tarEnd)],
]

describe.each(Object.entries(images))('a tar that is a %s', (_format, make) => {
  test.each(fine)('may have a file %s', async (_what, write) => {
    for (const size of [1, 512, Infinity])
      expect(await inspect(make(write, tarEnd), size)).toMatchObject({
        ok: true,
        value: { components: [{ version: '1.0' }] },
      })
  })

  test.each(tricks)('may not have a file with %s', async (_what, write) => {
    for (const size of [1, 512, Infinity])
      expect(await inspect(make(write, tarEnd), size)).toMatchObject({
        ok: false,
        // Not only because then something is not there.
        problem: {
          kind: 'unreadable',
          detail: expect.not.stringMatching(/missing|not in its manifest/) as string,
        },
      })
  })

  test.each([
    ['an absolute path', '/etc/passwd'],
    ['a path upwards', '../passwd'],
    ['a path upwards behind what means nothing', './../passwd'],
    ['a path upwards in its middle', 'a/../../passwd'],
    ['a path upwards at its end', 'a/..'],
    ['a path upwards for other systems', 'a\\..\\passwd'],
    ['nothing behind what means nothing', './'],
    ['what a folder ends with', 'a/'],
    ['a line in it', 'a\nb'],
    ['more than any system takes', 'a'.repeat(5_000)],
  ])('may not have a file whose name has %s', async (_what, name) => {
    const ways: readonly Write[] = [
      (own, body) => tarFile(own, body),
      (own, body) => Buffer.concat([paxHeader({ path: own }), tarFile('a', body)]),
      (own, body) => Buffer.concat([longName(own), tarFile('a', body)]),
    ]
    for (const way of name.length > 100 ? ways.slice(1) : ways)
      expect(await inspect(make(way, tarEnd, name))).toMatchObject({
        ok: false,
        problem: { kind: 'unreadable', detail: expect.stringMatching(/no name|a long name/) as string },
      })
  })

  test('may not have a name whose first part leads upwards', async () => {
    const way: Write = (_, body) => tarFile('passwd', body, { prefix: '..' })
    expect(await inspect(make(way, tarEnd, '../passwd'))).toMatchObject({ ok: false })
  })

  test('may have names that have no room in its headers', async () => {
    const name = `${'folder/'.repeat(40)}image`
    const gnu: Write = (_, body) => Buffer.concat([longName(name), tarFile('cut', body)])
    const posix: Write = (_, body) => Buffer.concat([paxHeader({ path: name }), tarFile('cut', body)])
    for (const write of [gnu, posix])
      expect(await inspect(make(write, tarEnd, name))).toMatchObject({ ok: true })
  })

  test.each<[string, Buffer, boolean]>([
    ['two blocks of zeros', tarEnd, true],
    ['more of them', Buffer.alloc(10_240), true],
    ['one block of zeros', Buffer.alloc(512), false],
    ['no end', Buffer.alloc(0), false],
    ['zeros and a byte', Buffer.concat([Buffer.alloc(10_239), Buffer.from([1])]), false],
    ['another tar', Buffer.concat([tarEnd, tarFile('more', firmware), tarEnd]), false],
    ['an extended header of no file', Buffer.concat([paxHeader({ mtime: '1' }), tarEnd]), false],
  ])('ends with %s: %$', async (_what, end, ok) => {
    for (const size of [1, 512, Infinity])
      expect(
        await inspect(
          make(
            withFields(() => ({})),
            end,
          ),
          size,
        ),
      ).toMatchObject({ ok })
  })
})

describe('an update bundle', () => {
  const content = Buffer.from('{"bundle":1,"components":[]}')
  const inFront: readonly (readonly [string, Buffer])[] = [
    ['a folder', tarBlock({ name: './', type: '5' })],
    ['a comment', paxHeader({ comment: 'a' }, 'g')],
    ['another file', tarFile('nic.bin', firmware)],
  ]

  test('is one, too, where its manifest is below the folder of all', async () => {
    const image =
      images['bundle']?.(
        withFields(() => ({})),
        tarEnd,
      ) ?? Buffer.alloc(0)
    const manifest = image.subarray(512, image.indexOf('\0', 512))
    const dotted = Buffer.concat([
      tarFile('./manifest.json', manifest),
      tarFile('./nic.bin', firmware),
      tarEnd,
    ])
    expect(await inspect(dotted)).toMatchObject({ ok: true, value: { components: [{ name: 'NIC-1' }] } })
  })

  test.each(inFront)('does not begin with %s, and is told so', async (_what, first) => {
    const image = Buffer.concat([first, tarFile('manifest.json', content), tarEnd])
    expect(await inspect(image)).toMatchObject({
      problem: {
        kind: 'unreadable',
        detail: expect.stringMatching(/begins with .*manifest\.json/) as string,
      },
    })
  })
})
